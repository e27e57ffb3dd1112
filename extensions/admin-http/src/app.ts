import swagger from '@fastify/swagger'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import type { Api, ApiContext, TypeBoxProvider } from './context.js'
import { FORWARDED } from './forwarded.js'
import { isChange } from './gate.js'
import { asRefusal, HttpError, problemOf } from './problem.js'
import { addControl } from './routes/control.js'
import { addEvents } from './routes/events.js'
import { addExtensionRoutes } from './routes/extension-routes.js'
import { addLists } from './routes/lists.js'
import { addProxies } from './routes/proxies.js'
import { addStatus } from './routes/status.js'
import { addWhy } from './routes/why.js'
import { addDashboard } from './dashboard.js'
import { openApiInfo } from './open-api.js'

/** A configuration of thousands of proxies fits. */
const MAX_BODY_BYTES = 1024 * 1024

/** Makes the API: every route, checks and errors. Nothing listens. */
export const createApi = async (context: ApiContext): Promise<Api> => {
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 1024, ignoreTrailingSlash: true },
    ajv: { customOptions: { removeAdditional: false, allErrors: true } }
  }).withTypeProvider<TypeBoxProvider>() as Api
  app.decorateRequest('caller')
  app.decorateRequest('isForwarded', false)
  addJsonParser(app)
  addChecks(app, context)
  addErrors(app, context)
  await app.register(swagger, openApiInfo(context.version))
  await app.register(
    (api: Api, _options, done) => {
      addStatus(api, context)
      addLists(api, context)
      addProxies(api, context)
      addControl(api, context)
      addEvents(api, context)
      addWhy(api, context)
      try {
        addExtensionRoutes(api, context)
      } catch (error) {
        // A throw from here would end the process.
        done(error as Error)
        return
      }
      api.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
      done()
    },
    { prefix: '/v1' }
  )
  await addDashboard(app)
  await app.ready()
  return app
}

/** JSON only, an empty body is an empty object, and no member is named like a prototype. */
const addJsonParser = (app: Api): void => {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body !== '') return parse(request, body as string, done)
    done(null, {})
    return undefined
  })
}

const addChecks = (app: Api, { gate, forwarded }: ApiContext): void => {
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin'
    })
    // Only this process knows the value, for the time of one call.
    const forwardedBy = forwarded.callerOf(request.headers[FORWARDED])
    request.isForwarded = forwardedBy !== undefined
    if (!request.isForwarded) gate.checkOrigin(request.raw)
    const { scope = isChange(request.method) ? 'operate' : 'read' } = request.routeOptions.config
    if (scope === 'public') return
    request.caller = forwardedBy ?? gate.authenticate(request.raw)
    gate.admit(request.raw, request.caller, scope)
    const { method, headers } = request
    if ((method === 'POST' || method === 'PUT') && !/^application\/json *(;|$)/i.test(headers['content-type'] ?? ''))
      throw new HttpError(415, 'admin.invalid', 'expected the content type application/json')
  })
}

const addErrors = (app: Api, { log }: ApiContext): void => {
  app.setErrorHandler((thrown, request, reply) => {
    const error = asRefusal(thrown)
    const problem = problemOf(error)
    if (error.code === 'internal') log.error({ err: thrown, path: request.url }, 'a request to the admin API failed')
    if (error instanceof HttpError) void reply.headers(error.headers)
    sendProblem(reply, problem)
  })
  app.setNotFoundHandler((request, reply) => {
    sendProblem(reply, problemOf(new HttpError(404, 'admin.not-found', `${request.method} ${pathOf(request)}`)))
  })
  // Changes are audited, whatever became of them.
  app.addHook('onResponse', async (request, reply) => {
    if (!isChange(request.method) || request.caller === undefined) return
    const { caller, method, ip } = request
    const { statusCode: status, elapsedTime } = reply
    const fields = {
      caller: caller.name,
      scope: caller.scope,
      method,
      path: pathOf(request),
      status,
      from: request.isForwarded ? 'cluster' : (ip ?? 'unix')
    }
    log.info({ ...fields, duration: Math.round(elapsedTime) }, 'admin change')
  })
}

const pathOf = (request: FastifyRequest): string => (request.url.split('?', 1)[0] ?? '').slice(0, 256)

const sendProblem = (reply: FastifyReply, problem: ReturnType<typeof problemOf>): void => {
  void reply
    .code(problem.status)
    .type('application/problem+json')
    .serializer((document: unknown) => JSON.stringify(document))
    .send(problem)
}
