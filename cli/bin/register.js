// `node --import rystra/register` is `node --import tsx`, for tests that name it. tsx is a dev dependency of their package.
import 'tsx'
