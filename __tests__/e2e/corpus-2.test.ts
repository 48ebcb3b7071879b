import { describePart } from './corpus/suite.ts'

describePart(1, 2)
