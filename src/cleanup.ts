import { cleanUp } from './post.ts'

await cleanUp()
