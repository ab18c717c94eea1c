import ArgumentParser
import Concord
import Foundation

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Train an image–text model as a recipe says.",
        discussion: """
            Examples:
              concord train recipes/emoji-clip.yaml --output runs/emoji
              concord train recipes/emoji-clip.yaml --set train.epochs=5 --set train.batch_size=128 --output runs/short
              concord train recipes/emoji-clip.yaml --output runs/emoji --resume
              concord train recipes/emoji-clip.yaml --output runs/emoji --epochs-more 10
              concord train --keys

            `concord init --data FOLDER` writes a recipe that fits a folder of pictures with captions.

            Ctrl-C, SIGTERM and a closed terminal save a checkpoint; the last line says how to go on. A finished run goes
            on for more epochs with its optimizer as it was; the learning rate is then that of the longer schedule, as
            if the run had been planned so. The output folder then holds metrics.jsonl, TensorBoard
            events, checkpoints, report.html and, once training has ended, the model itself.
            """)

    @Argument(help: "The recipe, a YAML file.")
    var recipe: String?

    @Option(name: .customLong("set"), help: "Replace one value of the recipe, as key=value; may be repeated.")
    var assignments: [String] = []

    @Option(help: "The folder for everything the run writes.")
    var output: String?

    @Flag(help: "Go on from the newest checkpoint in the output folder.")
    var resume = false

    @Option(help: "Go on with a run, a finished one too, for so many epochs more than it was planned for.")
    var epochsMore: Int?

    @Flag(help: "List every key of a recipe with its default and meaning.")
    var keys = false

    func validate() throws {
        guard keys || (recipe != nil && output != nil) else {
            throw ValidationError("Name a recipe and an --output folder, or ask for --keys.")
        }
        if let epochsMore, !(1...1_000_000).contains(epochsMore) {
            throw ValidationError("--epochs-more is \(epochsMore); it is 1 at least.")
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
            // Without --epochs-more, which would lengthen the run once more: it knows how long it is by now.
            let again = ["concord", "train", recipe] + sets + ["--output", output, "--resume"]
            print("stopped after step \(step); go on with:\n  \(again.map(ShellWord.quoted).joined(separator: " "))")
            throw ExitCode(130)
        }
    }
}

/// Words of commands that are shown to be copied.
enum ShellWord {
    /// The word as a shell reads it back.
    static func quoted(_ word: String) -> String {
        let isPlain = word.allSatisfy { $0.isLetter || $0.isNumber || "_-./=,:@%+".contains($0) }
        return isPlain ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }
}
