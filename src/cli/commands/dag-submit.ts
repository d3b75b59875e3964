/** `lattice dag submit`: a workflow from a YAML file. */
import { resolve } from "node:path";
import { submissionToProto } from "../../wire/submission.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import { UsageError } from "../grammar/usage-error.ts";
import { isData, printOne } from "../render/print.ts";
import { counted } from "../render/text.ts";
import { readWorkflow } from "../workflow-file.ts";

/** `lattice dag submit`. */
export const dagSubmit: Command = {
  kind: "command",
  name: "dag submit",
  summary: "Submit a workflow from a YAML file",
  details: [
    "The file has a list `allocations`. Each has a `name`, one of `script` (a path), `entrypoint` (a shell command line) and `argv`, any option of `lattice submit` (nodes, time, gpus, env...), and `depends_on`, a list of names or of {name, condition}.",
  ],
  positionals: [{ name: "file", description: "The workflow", isRequired: true, completes: "file" }],
  examples: [["lattice dag submit examples/dag.yaml", "every member, each after what it depends on"]],
  run: async (given, context) => {
    const path = resolve(context.directory, given.first() ?? "");
    const file = Bun.file(path);
    if (!(await file.exists())) throw new UsageError(`there is no file ${given.first()}`);
    const submission = await readWorkflow(await file.text(), path, context.settings);
    const request = submissionToProto(submission);
    const response = await context.client().allocations.submit(request, { signal: context.signal });
    for (const warning of response.warnings) context.terminal.err(`warning: ${warning}\n`);
    if (isData(context) || context.settings.isQuiet) {
      await printOne(context, response, { id: response.dagId, text: () => "" });
    } else {
      const count = counted(response.allocationIds.length, "allocation");
      context.terminal.out(`Submitted DAG: ${response.dagId} (${count}: ${response.shortIds.join(", ")})\n`);
    }
    return EXIT.ok;
  },
};
