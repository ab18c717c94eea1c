import ArgumentParser
import Concord

struct PullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Download a model from a Hugging Face hub into Hugging Face's cache.",
        discussion: """
            Takes what Concord reads: configurations, tokenizer files and safetensors weights, also those of
            sentence-transformers' modules; not pickles and copies in other formats. Each file is checked against the
            length and hash that the hub announces. Ctrl-C may stop it at any time: the same command goes on where it
            stopped, and does nothing when all is there. The cache is the one of Python's huggingface_hub; each finds
            what the other has downloaded.

            Examples:
              concord pull openai/clip-vit-base-patch32
              concord pull laion/CLIP-ViT-B-32-laion2B-s34B-b79K --include open_clip_model.safetensors
              concord pull owner/name --revision v1.0 --json

            Afterwards --model takes OWNER/NAME, or OWNER/NAME@REVISION, in place of a folder.

            Environment, as huggingface_hub reads it:
              HF_ENDPOINT                 the hub, https://huggingface.co by default
              HF_TOKEN, HF_TOKEN_PATH     the token for private and gated models; sent to the hub's host only
              HF_HUB_CACHE, HF_HOME       where the cache is, ~/.cache/huggingface/hub by default
              HF_HUB_OFFLINE=1            answer from the cache alone
              SSL_CERT_FILE, HTTPS_PROXY  certificates to trust and a proxy to use
            """)

    @Argument(help: "OWNER/NAME.")
    var model: String

    @Option(help: "A branch, tag or commit.")
    var revision = HubRepository.defaultRevision

    @Option(
        name: .customLong("include"),
        help: "Also the files that fit this pattern, where * stands for any characters; may be repeated.")
    var patterns: [String] = []

    @Flag(name: .customLong("all"), help: "All files of the repository; pickles are stored and never loaded.")
    var isEverything = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard !Files.exists(model) else {
            throw ValidationError(
                "\(model) is here already: use it as --model \(model). Pull takes OWNER/NAME of a hub.")
        }
        do {
            _ = try HubRepository(model, revision: revision)
        } catch {
            throw ValidationError(error.message)
        }
    }

    func run() throws {
        let snapshot: HubSnapshot, repository = try HubRepository(model, revision: revision)
        do { snapshot = try pull(repository) } catch {
            // A folder of this name may well be its owner's models, so only a failure makes it look like a slip.
            guard let error = error as? ConcordError, let missing = ModelLocation.missingFolder(model) else {
                throw error
            }
            throw ConcordError(
                error.code, "\(error.message)\nPull takes OWNER/NAME of a hub. If a path was meant: \(missing.message)")
        }
        print(json ? snapshot.json.text() : "model: \(snapshot.path)\nuse it as: --model \(repository)")
    }

    private func pull(_ repository: HubRepository) throws -> HubSnapshot {
        var display: ProgressDisplay?
        let client = HubClient(settings: try HubSettings(), userAgent: "concord/\(ConcordVersion.current)")
        defer { display?.finish() }
        return try client.pull(
            repository, selection: HubSelection(patterns: patterns, isEverything: isEverything)
        ) { progress in
            let bar = display ?? ProgressDisplay(label: "pulling")
            display = bar
            if progress.isWaiting {
                bar.print("waiting for another process that downloads \(progress.file)")
            } else {
                bar.show(bytes: progress.done, of: progress.total, doneBefore: progress.doneBefore)
            }
        }
    }
}
