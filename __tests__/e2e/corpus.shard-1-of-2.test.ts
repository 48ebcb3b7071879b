import { describePart } from '../support/corpus/suite.ts'

describePart(0, 2)
