/** The host that requests of the bench are for, where a proxy goes by hosts. */
export const benchHost = 'bench.localhost'
