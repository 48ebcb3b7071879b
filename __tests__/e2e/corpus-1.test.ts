import { describePart } from './corpus/suite.ts'

describePart(0, 2)
