// `node --import rystra/register` runs TypeScript as it is, with the same loader as extensions and configurations.
import 'jiti/register'
