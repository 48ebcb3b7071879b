import { describePart } from '../support/corpus/suite.ts'

describePart(1, 2)
