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
              concord train --keys

            `concord init --data FOLDER` writes a recipe for a folder of captioned images.

            The output folder holds the model, report.html, metrics.jsonl, TensorBoard events and checkpoints. Ctrl-C,
            SIGTERM or a closed terminal saves a checkpoint, and the last line printed is the command that resumes the
            run. --epochs-more extends a run, even a finished one: the optimizer continues, and the learning rate
            follows the schedule of the longer run.
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

    @Flag(help: "List every recipe key with its default and meaning.")
    var keys = false

    func validate() throws {
        guard keys || (recipe != nil && output != nil) else {
            throw ValidationError("Name a recipe and an --output folder, or use --keys.")
        }
        if let epochsMore, !(1...1_000_000).contains(epochsMore) {
            throw ValidationError("--epochs-more is \(epochsMore); it must be in 1…1000000.")
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
        let run = try TrainingRun(
            recipe: Recipe(path: recipe, assignments: assignments), folder: RunFolder(output),
            resumes: resume || epochsMore != nil, epochsMore: epochsMore, stopsOnSignals: true)
        switch try run.train() {
        case .finished:
            print("model: \(output)\nreport: \(output)/report.html")
        case .interrupted(let step):
            let sets = assignments.flatMap { ["--set", $0] }
            // Without --epochs-more, which would extend the run again: the checkpoint knows the new length.
            let again = ["concord", "train", recipe] + sets + ["--output", output, "--resume"]
            print("stopped after step \(step); resume with:\n  \(again.map(ShellWord.quoted).joined(separator: " "))")
            throw ExitCode(130)
        }
    }
}
