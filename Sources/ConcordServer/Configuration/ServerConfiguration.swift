import ConcordCore
import ConcordMedia
import ConcordRuntime
import Logging

/// All that can be said about a server before it starts. The options of `concord-server` and the keys of its file
/// `server.yaml` set the same things.
public struct ServerConfiguration: Sendable {
    public var models: [ModelArgument] = []
    /// Other names that requests may call the models by.
    public var aliases: [ModelAlias] = []
    public var host = "127.0.0.1"
    /// 0 takes a free one.
    public var port = 8080
    /// A port for `/metrics` alone, which asks for no key; `nil` for none.
    public var metricsPort: Int?
    public var metricsHost = "127.0.0.1"
    /// The file of keys; `nil` where no key is asked for, which only a server on loopback may do.
    public var keys: String?
    /// Options of the models and of their queues.
    public var serving = ServingOptions()

    /// The most bytes of one body.
    public var bodyBytes = 64 << 20
    /// The most bytes of all bodies being read and answered.
    public var bodiesBytes = 512 << 20
    public var connections = 1024
    /// Time without a part of a request after which a connection is closed; also for the headers of a request.
    public var idleTimeout: Duration = .seconds(60)
    /// Timeout of a body that brings nothing; each 16 KiB add a second.
    public var bodyTimeout: Duration = .seconds(30)
    /// After which an answer is of no use any more.
    public var requestTimeout: Duration = .seconds(60)
    /// Time for which a server that is told to end still answers, not ready, so that clients look elsewhere.
    public var drainDelay: Duration = .milliseconds(500)
    /// Time for which it then waits for accepted requests.
    public var drainTimeout: Duration = .seconds(30)

    /// Options for fetching images by URL; `nil`, the default, fetches none.
    public var imageFetching: ImageFetchOptions?
    /// Pages that may use the server from a browser, such as `https://example.com`; none by default.
    public var crossOrigins: [String] = []
    /// Names that a server without keys answers to beside addresses and `localhost`, such as that of a proxy before it;
    /// `*` for all, which lets any page that a browser on this machine shows use the server.
    public var hostNames: [String] = []
    public var logLevel = Logger.Level.info
    /// Writes log lines as JSON objects.
    public var logsJSON = false

    public init() {}

    /// True if only this machine can reach the server.
    var isLoopback: Bool { host == "localhost" || IPAddress(host)?.isLoopback == true }

    /// The name of the model that requests call so.
    func modelName(_ name: String) -> String {
        // As a rule there are none.
        aliases.isEmpty ? name : aliases.first { $0.name == name }?.model ?? name
    }

    /// Checks the aliases against the names of all models. Throws `.invalidConfiguration`.
    func checkAliases(models: [String]) throws(ConcordError) {
        for alias in aliases {
            guard models.contains(alias.model) else {
                throw ConcordError(
                    .invalidConfiguration,
                    "the alias \"\(alias.name)\" is for the model \"\(alias.model)\", which is not served; the models are "
                        + models.joined(separator: ", "))
            }
            guard !models.contains(alias.name), aliases.count(where: { $0.name == alias.name }) == 1 else {
                throw ConcordError(
                    .invalidConfiguration, "the alias \"\(alias.name)\" is a name that is taken; give another")
            }
        }
    }

    /// Throws `.invalidConfiguration` for what cannot be served, or should not.
    package func validate() throws(ConcordError) {
        guard !models.isEmpty else {
            throw ConcordError(
                .invalidConfiguration, "no model is named; give --model FOLDER, which `concord export` has written")
        }
        let names = models.compactMap(\.name)
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw ConcordError(.invalidConfiguration, "two models are called \"\(twice)\"; give one another name")
        }
        guard metricsPort != port || port == 0 || metricsHost != host else {
            throw ConcordError(
                .invalidConfiguration, "port and metrics_port are both \(port); give one of them another number")
        }
        let further = serving.imageLimits.formats.subtracting(ImageFormat.web)
        if let missing = further.first(where: { !$0.isReadable }) {
            throw ConcordError(
                .invalidConfiguration,
                "image_formats has \(missing.rawValue), but this machine's libvips was built without \(missing.name); "
                    + "install one that has it, or take it out")
        }
        guard isLoopback || keys != nil else {
            throw ConcordError(
                .invalidConfiguration,
                "on \(host) others can reach the server, so it asks for keys: give --keys FILE (`concord-server "
                    + "--make-key` prints a key and its entry), or stay on 127.0.0.1")
        }
    }
}

/// Options of the models and of their queues.
public struct ServingOptions: Sendable {
    /// Options of each model's sessions.
    public var model: ExportedModelOptions
    /// Threads that decode images.
    public var decodingThreads: Int
    /// The settings of each queue: one for images, texts and captions of each model, and one for decoding.
    public var queue = QueueOptions()
    /// Images that are captioned together, at most.
    public var captionBatch = 8
    /// Limits that images must keep before they are decoded; by default the formats of web pages.
    public var imageLimits = ImageLimits(formats: ImageFormat.web)
    /// The bytes that all images being decoded or waiting may take.
    public var decodedBytes = 1 << 30
    /// Vectors of images that are kept, by the content; 0 keeps none.
    public var cachedEmbeddings = 0
    /// The bytes that all models may take, by the size of their files; `nil` for no limit.
    public var modelBytes: Int?
    /// Interval between canary checks; `nil` disables them.
    public var canaryInterval: Duration? = .seconds(15)
    /// Told of faults of models, for logs: the texts are not for clients.
    public var onFault: @Sendable (_ model: String, _ error: ConcordError) -> Void = { _, _ in }
    /// Told once of each loaded model whose answers may be wrong on this machine.
    public var onWarning: @Sendable (_ model: String, _ warning: String) -> Void = { _, _ in }
    /// True if sums of 8-bit products saturate on this machine.
    package var productsSaturate = CPUFeatures.int8DotSaturates
    package typealias ModelOpener =
        @Sendable (_ folder: String, _ options: ExportedModelOptions) throws(ConcordError) -> ExportedModel

    /// Opens the model of a folder, on the thread that loads; tests have it wait.
    package var openModel: ModelOpener = { folder, options throws(ConcordError) in
        try ExportedModel(folder: folder, options: options)
    }

    /// - Parameter processors: how many to use. Up to eight runs go on side by side, which does more work in all than one
    ///   run on all processors.
    public init(processors: Int = CPUCount.available) {
        let processors = max(processors, 1)
        decodingThreads = processors
        queue.workers = min(processors, 8)
        model = ExportedModelOptions(
            session: OnnxSessionOptions(threadsPerRun: max(processors / min(processors, 8), 1)))
    }
}

/// A model to serve, with the name that requests use: `[NAME=]FOLDER`.
public struct ModelArgument: Sendable, Hashable {
    /// `nil` for the name in the model's manifest.
    public var name: String?
    public var folder: String

    public init(name: String? = nil, folder: String) {
        self.name = name
        self.folder = folder
    }

    /// Reads `[NAME=]FOLDER`. A name may have slashes, as in `openai/clip-vit-base-patch32`; where the text begins with a
    /// slash, a dot or a tilde, all of it is a folder. Throws `.invalidConfiguration`.
    public init(_ text: String) throws(ConcordError) {
        guard let (name, folder) = ModelName.split(text), !["/", ".", "~"].contains(name.prefix(1)) else {
            self.init(folder: text)
            return
        }
        guard ModelName.isValid(name), !folder.isEmpty else {
            throw ConcordError(
                .invalidConfiguration,
                "the model \"\(text)\" must be written NAME=FOLDER or FOLDER, with a name of \(ModelName.letters)")
        }
        self.init(name: name, folder: folder)
    }
}

/// The names that requests may use for a model.
enum ModelName {
    static let letters = "letters, digits, - . _ : @ and /"

    /// The sides of the first sign of equality; nil without one.
    static func split(_ text: String) -> (String, String)? {
        let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return sides.count == 2 ? (String(sides[0]), String(sides[1])) : nil
    }

    static func isValid(_ name: String) -> Bool {
        let steps = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return steps.allSatisfy { step in
            !step.isEmpty
                && step.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "-._:@".utf8.contains(byte)
                }
        }
    }
}

/// Another name for a model: `NAME=MODEL`.
public struct ModelAlias: Sendable, Hashable {
    public var name: String
    /// The model's other name.
    public var model: String

    public init(name: String, model: String) {
        self.name = name
        self.model = model
    }

    /// Reads `NAME=MODEL`. Throws `.invalidConfiguration`.
    public init(_ text: String) throws(ConcordError) {
        guard let (name, model) = ModelName.split(text), ModelName.isValid(name), !model.isEmpty else {
            throw ConcordError(
                .invalidConfiguration,
                "the alias \"\(text)\" must be written NAME=MODEL, with a name of \(ModelName.letters)")
        }
        self.init(name: name, model: model)
    }
}
