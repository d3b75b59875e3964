/** docs/reference/openapi.json: what a server of this version answers at /openapi. */
import { apiDocument } from "../../src/api/rest/openapi.ts";

/** Returns docs/reference/openapi.json. */
export const renderOpenApi = (): string => `${JSON.stringify(apiDocument(), undefined, 2)}\n`;
