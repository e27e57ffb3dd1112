export const againstYamuxJs = async (): Promise<number> => 0
