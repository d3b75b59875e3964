/** Which build this is. `bun run build` stamps both constants into the binaries; from source they are absent. */
declare const LATTICE_VERSION: string | undefined;
declare const LATTICE_COMMIT: string | undefined;

/** The release, as 0.1.0, or "dev" when run from source. */
export const VERSION: string = typeof LATTICE_VERSION === "string" ? LATTICE_VERSION : "dev";

/** The commit the build was made from, or "source". */
export const COMMIT: string = typeof LATTICE_COMMIT === "string" ? LATTICE_COMMIT : "source";

/** Returns the line that --version prints. */
export const versionLine = (program: string): string => `${program} ${VERSION} (${COMMIT})`;
