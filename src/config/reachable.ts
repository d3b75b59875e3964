/** Whether the files and folders that a configuration names can be used, asked of the real file system. */
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** What the loader asks of the file system. */
export interface ConfigFiles {
  /** Returns the text of a file; throws when it cannot be read. */
  readText(path: string): string;
  /** Returns why a path cannot be used as a key needs it, or undefined. */
  obstacle(path: string, reach: "file" | "folder"): string | undefined;
}

/** The files of this machine. */
export const realFiles: ConfigFiles = {
  readText: (path) => readFileSync(path, "utf8"),
  obstacle: (path, reach) => (reach === "file" ? fileObstacle(path) : folderObstacle(resolve(path))),
};

function fileObstacle(path: string): string | undefined {
  try {
    if (!statSync(path).isFile()) return `${path} is not a file`;
    accessSync(path, constants.R_OK);
    return undefined;
  } catch (error) {
    return `${path} ${codeOf(error) === "ENOENT" ? "does not exist" : "cannot be read"}`;
  }
}

/** A folder that does not exist yet can be made when the nearest one above it can be written to. */
function folderObstacle(path: string): string | undefined {
  try {
    if (!statSync(path).isDirectory()) return `${path} is not a folder`;
    accessSync(path, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" && dirname(path) !== path) return folderObstacle(dirname(path));
    return code === "ENOTDIR" ? `${dirname(path)} is not a folder` : `${path} cannot be written to`;
  }
}

const codeOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
