/** Patterns in the paths of --output and --error, as sbatch reads them. */

/** What the patterns stand for. */
export interface OutputNames {
  /** %j */
  readonly job: string;
  /** %x */
  readonly name: string;
  /** %A: of the array, or of the allocation itself. */
  readonly array: string;
  /** %a */
  readonly task: string;
  /** %N: first node. */
  readonly node: string;
  /** %u */
  readonly user: string;
}

const PATTERN = /%([0-9]{0,2})([jxAaNu%])/g;

/** Returns `path` with its patterns replaced; `%5j` pads numbers with zeros, unknown patterns stay. */
export function expandOutputPattern(path: string, names: OutputNames): string {
  return path.replace(PATTERN, (_whole, width: string, letter: string) => {
    const value = patternValue(letter, names);
    return /^\d+$/.test(value) ? value.padStart(Math.min(Number(width), 10), "0") : value;
  });
}

function patternValue(letter: string, names: OutputNames): string {
  switch (letter) {
    case "j":
      return names.job;
    case "x":
      return names.name;
    case "A":
      return names.array;
    case "a":
      return names.task;
    case "N":
      return names.node;
    case "u":
      return names.user;
    default:
      return "%";
  }
}
