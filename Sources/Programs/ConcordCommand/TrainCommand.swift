import ArgumentParser
import Concord

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Train an image–text model from a recipe.",
        discussion: """
            Examples:
              concord train recipes/emoji-clip.yaml --output runs/emoji
              concord train recipes/emoji-clip.yaml --set train.epochs=5 --set train.batch_size=128 --output runs/short
              concord train recipes/emoji-clip.yaml --output runs/emoji --resume
              concord train recipes/emoji-clip.yaml --output runs/emoji --epochs-more 10
              concord train recipes/emoji-clip.yaml --output runs/emoji --processes 4
              concord train --keys

            `concord init --data FOLDER` writes a recipe for a folder of captioned images.

            The output folder holds the model, report.html, metrics.jsonl, TensorBoard events and checkpoints. Ctrl-C,
            SIGTERM or a closed terminal saves a checkpoint, and the last line printed is the command that resumes the
            run. --epochs-more extends a run, even a finished one: the optimizer continues, and the learning rate
            follows the schedule of the longer run.

            --processes shares the run out over processes on this machine. torchrun, srun and Kubernetes start them on
            several: a process finds its place in MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE, or in Slurm's variables.
            When a process dies, the others end with status 75.
            """)

    @Argument(help: "The recipe, a YAML file.")
    var recipe: String?

    @Option(name: .customLong("set"), help: "Override a value of the recipe, as key=value; may be repeated.")
    var assignments: [String] = []

    @Option(help: "The run folder, for everything that the run writes.")
    var output: String?

    @Flag(help: "Resume from the newest checkpoint in the output folder.")
    var resume = false

    @Option(help: "Extend a run, even a finished one, by this many epochs.")
    var epochsMore: Int?

    @Option(help: "Processes on this machine that share the run out.")
    var processes: Int?

    @Option(help: "With --processes: start again from the newest checkpoint this often when a process dies.")
    var restarts = 0

    @Flag(help: "List every recipe key with its default and meaning.")
    var keys = false

    func validate() throws {
        guard keys || (recipe != nil && output != nil) else {
            throw ValidationError("Name a recipe and an --output folder, or use --keys.")
        }
        if let epochsMore, !(1...1_000_000).contains(epochsMore) {
            throw ValidationError("--epochs-more is \(epochsMore); it must be in 1…1000000.")
        }
        if let processes, !(1...1024).contains(processes) {
            throw ValidationError("--processes is \(processes); it must be in 1…1024.")
        }
        if restarts != 0, processes == nil || !(1...1000).contains(restarts) {
            throw ValidationError("--restarts is \(restarts); it must be in 0…1000, and is for --processes.")
        }
        if restarts != 0, epochsMore != nil {
            throw ValidationError("--restarts would extend the run again with --epochs-more; leave one of them out.")
        }
    }

    func run() throws {
        if keys {
            for key in try Recipe.documentedKeys() {
                print("\(key.path): \(key.defaultValue)\n    \(key.summary)")
            }
            return
        }
        guard let recipe, let output else { return }
        if let processes, processes > 1, !LaunchedProcess.isOne {
            let extend = epochsMore.map { ["--epochs-more", "\($0)"] } ?? []
            try ProcessLauncher(
                processCount: processes, restarts: restarts,
                arguments: arguments(recipe, output) + (resume ? ["--resume"] : []) + extend,
                restartArguments: arguments(recipe, output) + ["--resume"]
            ).run()
            return
        }
        try LaunchedProcess.followLauncher()
        let parsed = try Recipe(path: recipe, assignments: assignments)
        // A process that is busy when another one dies ends, too.
        let group = try ProcessMembership.fromEnvironment().map { try ProcessGroup($0, grace: 10) }
        do {
            try train(parsed, recipe, output, group)
            group?.leave()
        } catch let code as ExitCode {
            group?.leave()
            throw code
        } catch {
            let isLost = group?.hasLostProcess ?? false
            group?.leave(because: error)
            guard isLost else { throw error }
            throw LostProcess(message: "\(error)")
        }
    }

    private func train(_ parsed: Recipe, _ recipe: String, _ output: String, _ group: ProcessGroup?) throws {
        let run = try TrainingRun(
            recipe: parsed, folder: RunFolder(output), resumes: resume || epochsMore != nil, epochsMore: epochsMore,
            stopsOnSignals: true, group: group)
        let outcome = try run.train(), isWriter = (group?.rank ?? 0) == 0
        switch outcome {
        case .finished:
            if isWriter { print("model: \(output)\nreport: \(output)/report.html") }
        case .interrupted(let step):
            // Without --epochs-more, which would extend the run again: the checkpoint knows the new length.
            let again =
                ["concord"] + arguments(recipe, output) + (LaunchedProcess.count.map { ["--processes", $0] } ?? [])
            let command = (again + ["--resume"]).map(ShellWord.quoted).joined(separator: " ")
            if isWriter { print("stopped after step \(step); resume with:\n  \(command)") }
            throw ExitCode(130)
        }
    }

    /// The command without its options for the start.
    private func arguments(_ recipe: String, _ output: String) -> [String] {
        ["train", recipe] + assignments.flatMap { ["--set", $0] } + ["--output", output]
    }
}
