import ArgumentParser
import Concord

struct PullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Download a model from the Hugging Face Hub.",
        discussion: """
            Downloads the files that Concord reads: configurations, tokenizers and safetensors weights, also those of
            sentence-transformers modules, but no pickles and no copies in other formats. Each file is checked against
            the size and hash that the hub reports. An interrupted download resumes when the same command is run again.
            The cache is shared with Python's huggingface_hub: each finds what the other has downloaded.

            Examples:
              concord pull openai/clip-vit-base-patch32
              concord pull laion/CLIP-ViT-B-32-laion2B-s34B-b79K --include open_clip_model.safetensors
              concord pull owner/name --revision v1.0 --json

            Every --model option then accepts OWNER/NAME or OWNER/NAME@REVISION instead of a folder.

            Environment, as huggingface_hub reads it:
              HF_ENDPOINT                 the hub (default: https://huggingface.co)
              HF_TOKEN, HF_TOKEN_PATH     the token for private and gated models, sent only to the hub's host
              HF_HUB_CACHE, HF_HOME       the cache (default: ~/.cache/huggingface/hub)
              HF_HUB_OFFLINE=1            use only the cache
              SSL_CERT_FILE, HTTPS_PROXY  trusted certificates and the proxy
            """)

    @Argument(help: "The repository, OWNER/NAME.")
    var model: String

    @Option(help: "A branch, tag or commit.")
    var revision = HubRepository.defaultRevision

    @Option(
        name: .customLong("include"),
        help: "Also download files that match this pattern (* matches any characters); may be repeated.")
    var patterns: [String] = []

    @Flag(name: .customLong("all"), help: "Download all files of the repository; pickles are stored but never loaded.")
    var isEverything = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard !Files.exists(model) else {
            throw ValidationError(
                "\(model) is a local path; use it as --model \(model). `pull` takes OWNER/NAME on a hub.")
        }
        do {
            _ = try HubRepository(model, revision: revision)
        } catch {
            throw ValidationError(error.message)
        }
    }

    func run() throws {
        let repository = try HubRepository(model, revision: revision)
        let snapshot: HubSnapshot
        do { snapshot = try pull(repository) } catch {
            // A name such as runs/emoji is valid on a hub, too: only a failed download suggests that a path was meant.
            guard let error = error as? ConcordError, let missing = ModelLocation.missingFolder(model) else {
                throw error
            }
            throw ConcordError(
                error.code,
                "\(error.message)\n`pull` takes OWNER/NAME on a hub. If a path was meant: \(missing.message)")
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
                bar.print("waiting for another process to download \(progress.file)")
            } else {
                bar.show(bytes: progress.done, of: progress.total, doneBefore: progress.doneBefore)
            }
        }
    }
}
