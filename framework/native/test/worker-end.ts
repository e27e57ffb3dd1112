import { once } from 'node:events'
import { Worker, type WorkerOptions } from 'node:worker_threads'

/** Runs a worker until its end, which it may ask for by the message `end me`. Answers with its messages and its errors. */
export const workerEnd = async (file: string, what: string, workerData?: WorkerOptions['workerData']) => {
  const worker = new Worker(file, { argv: [what], execArgv: [], workerData })
  const said: unknown[] = []
  const failed: Error[] = []
  worker.on('message', (message) => {
    said.push(message)
    if (message === 'end me') void worker.terminate()
  })
  worker.on('error', (error: Error) => failed.push(error))
  await once(worker, 'exit')
  return { said, failed }
}
