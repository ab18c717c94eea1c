import ConcordCore
import ConcordMedia
import ConcordRuntime
import Logging

/// The keys of `server.yaml`, each with what it sets.
enum ServerSettings {
    struct Setting: Sendable {
        let key: String
        let summary: String
        /// Sets what the texts say: one, or those of a list. Gives back what was expected instead, where they do not.
        let set: @Sendable (inout ServerConfiguration, [String]) throws(ConcordError) -> String?
    }

    /// Reads a file's text into the configuration; `source` names it in errors. Throws `.invalidConfiguration`.
    static func read(_ yaml: String, source: String, into configuration: inout ServerConfiguration) throws(ConcordError)
    {
        guard let root = try YAMLNode.read(yaml, source: source), root != .scalar("") else { return }
        guard case .mapping(let members) = root else {
            throw ConcordError(.invalidConfiguration, "\(source) must be a mapping of keys")
        }
        for member in members {
            let key = member.key
            guard let setting = all.first(where: { $0.key == key }) else {
                let nearest = NearestName.suggestion(for: key, among: all.map(\.key))
                throw ConcordError(
                    .invalidConfiguration,
                    "\(source): unknown key \"\(key)\"" + (nearest.map { "; did you mean \"\($0)\"?" } ?? "")
                        + "\nThe keys are: \(all.map(\.key).joined(separator: ", "))")
            }
            let texts: [String]
            switch member.value {
            case .scalar(let text): texts = [text]
            case .sequence(let items):
                texts = items.compactMap(\.text)
                guard texts.count == items.count else {
                    throw ConcordError(.invalidConfiguration, "\(source): \(key) must be a list of plain values")
                }
            case .mapping:
                throw ConcordError(.invalidConfiguration, "\(source): \(key) must be a value or a list")
            }
            if let expected = try setting.set(&configuration, texts) {
                throw ConcordError(
                    .invalidConfiguration,
                    "\(source): \(key) is \"\(texts.joined(separator: ", "))\"; it must be \(expected)")
            }
        }
    }

    static let all: [Setting] = [
        Setting(key: "models", summary: "Models, each [NAME=]FOLDER.") { configuration, texts throws(ConcordError) in
            configuration.models = try texts.map { text throws(ConcordError) in try ModelArgument(text) }
            return nil
        },
        Setting(key: "aliases", summary: "Other names of models, each NAME=MODEL.") {
            configuration, texts throws(ConcordError) in
            configuration.aliases = try texts.map { text throws(ConcordError) in try ModelAlias(text) }
            return nil
        },
        text("host", "Address to listen on.", \.host),
        integer("port", "Port; 0 takes a free one.", 0...65535, \.port),
        Setting(key: "metrics_port", summary: "A port for /metrics alone.") { configuration, texts in
            guard texts.count == 1, let port = Int(texts[0]), (0...65535).contains(port) else { return "a port" }
            configuration.metricsPort = port
            return nil
        },
        text("metrics_host", "Address of the port for /metrics.", \.metricsHost),
        Setting(key: "keys", summary: "The file of keys.") { configuration, texts in
            guard texts.count == 1 else { return "a path" }
            configuration.keys = texts[0]
            return nil
        },
        Setting(key: "threads", summary: "Threads that run models, and that decode pictures.") { configuration, texts in
            guard texts.count == 1, let count = Int(texts[0]), (1...1024).contains(count) else { return "1 or more" }
            configuration.setThreads(count)
            return nil
        },
        integer("body_bytes", "Most bytes of one body.", 1024...(1 << 40), \.bodyBytes),
        integer("bodies_bytes", "Most bytes of all bodies at a time.", 1024...(1 << 40), \.bodiesBytes),
        integer("image_bytes", "Most bytes of an encoded picture.", 16...(1 << 40), \.serving.imageLimits.maximumBytes),
        integer("image_pixels", "Most pixels of a picture.", 1...(1 << 40), \.serving.imageLimits.maximumPixels),
        integer("decoded_bytes", "Most bytes of all pictures being decoded.", 1024...(1 << 40), \.serving.decodedBytes),
        integer("connections", "Most connections at a time.", 1...1_000_000, \.connections),
        integer("queue_capacity", "Most items that wait for a model.", 1...10_000_000, \.serving.queueCapacity),
        integer("caption_batch", "Pictures that are captioned together.", 1...256, \.serving.captionBatch),
        integer(
            "cached_embeddings", "Vectors of pictures that are kept; 0 keeps none.", 0...100_000_000,
            \.serving.cachedEmbeddings),
        Setting(key: "model_bytes", summary: "Bytes that all models may take.") { configuration, texts in
            guard texts.count == 1, let count = Int(texts[0]), count > 0 else { return "a number of bytes" }
            configuration.serving.modelBytes = count
            return nil
        },
        Setting(key: "bulk_share", summary: "Least share of the work for the bulk lane.") { configuration, texts in
            guard texts.count == 1, let share = Double(texts[0]), (0...1).contains(share) else { return "in 0…1" }
            configuration.serving.bulkShare = share
            return nil
        },
        Setting(key: "verify_hashes", summary: "Whether files are compared with their hashes.") {
            configuration, texts in
            guard texts.count == 1, let flag = ["true": true, "false": false][texts[0]] else { return "true or false" }
            configuration.serving.model.verifiesHashes = flag
            return nil
        },
        Setting(key: "canary_seconds", summary: "How often models are checked; 0 for never.") { configuration, texts in
            guard texts.count == 1, let seconds = Double(texts[0]), (0...86400).contains(seconds) else {
                return "a number of seconds"
            }
            configuration.serving.canaryInterval = seconds > 0 ? .seconds(seconds) : nil
            return nil
        },
        seconds("longest_wait_seconds", "Requests that would wait longer are refused.", \.serving.longestWait),
        seconds("longest_run_seconds", "Runs have no more items than are done in it, or two.", \.serving.longestRun),
        seconds("stuck_after_seconds", "A run that takes longer is given up.", \.serving.stuckAfter),
        seconds("idle_seconds", "Idle connections are closed after it.", \.idleTimeout),
        seconds("body_seconds", "How long a body may bring nothing.", \.bodyTimeout),
        seconds("request_seconds", "After which an answer is of no use.", \.requestTimeout),
        seconds("drain_delay_seconds", "How long an ending server still answers.", \.drainDelay),
        seconds("drain_seconds", "How long it waits for accepted requests.", \.drainTimeout),
        Setting(key: "image_urls", summary: "Whether pictures are fetched from http and https addresses.") {
            configuration, texts in
            guard texts.count == 1, let flag = ["true": true, "false": false][texts[0]] else { return "true or false" }
            configuration.imageFetching = flag ? configuration.imageFetching ?? PictureFetchOptions() : nil
            return nil
        },
        Setting(key: "image_url_hosts", summary: "The only hosts that pictures are fetched from; *.NAME for all below.")
        {
            configuration, texts in
            var options = configuration.imageFetching ?? PictureFetchOptions()
            options.hosts = texts
            configuration.imageFetching = options
            return nil
        },
        Setting(key: "cross_origins", summary: "Pages that may use the server from a browser.") {
            configuration, texts in
            configuration.crossOrigins = texts
            return nil
        },
        Setting(key: "host_names", summary: "Names that a server without keys answers to; * for all.") {
            configuration, texts in
            configuration.hostNames = texts
            return nil
        },
        Setting(key: "log_level", summary: "trace, debug, info, notice, warning, error or critical.") {
            configuration, texts in
            guard texts.count == 1, let level = Logger.Level(rawValue: texts[0]) else {
                return "one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))"
            }
            configuration.logLevel = level
            return nil
        },
        Setting(key: "log_format", summary: "text or json.") { configuration, texts in
            guard texts == ["text"] || texts == ["json"] else { return "text or json" }
            configuration.logsJSON = texts == ["json"]
            return nil
        },
    ]

    private static func text(
        _ key: String, _ summary: String, _ path: any WritableKeyPath<ServerConfiguration, String> & Sendable
    ) -> Setting {
        Setting(key: key, summary: summary) { configuration, texts in
            guard texts.count == 1, !texts[0].isEmpty else { return "a text" }
            configuration[keyPath: path] = texts[0]
            return nil
        }
    }

    private static func integer(
        _ key: String, _ summary: String, _ range: ClosedRange<Int>,
        _ path: any WritableKeyPath<ServerConfiguration, Int> & Sendable
    ) -> Setting {
        Setting(key: key, summary: summary) { configuration, texts in
            guard texts.count == 1, let number = Int(texts[0]), range.contains(number) else {
                return "a whole number in \(range.lowerBound)…\(range.upperBound)"
            }
            configuration[keyPath: path] = number
            return nil
        }
    }

    private static func seconds(
        _ key: String, _ summary: String, _ path: any WritableKeyPath<ServerConfiguration, Duration> & Sendable
    ) -> Setting {
        Setting(key: key, summary: summary) { configuration, texts in
            guard texts.count == 1, let seconds = Double(texts[0]), (0...86400).contains(seconds) else {
                return "a number of seconds in 0…86400"
            }
            configuration[keyPath: path] = .seconds(seconds)
            return nil
        }
    }
}

extension ServerConfiguration {
    /// Takes over what a file `server.yaml` says; its keys are those that `concord-server --settings` lists.
    ///
    /// - Parameter source: what errors call the file.
    /// - Throws: `.invalidConfiguration`, with the nearest key for one that is unknown.
    public mutating func read(yaml: String, source: String) throws(ConcordError) {
        try ServerSettings.read(yaml, source: source, into: &self)
    }

    /// How many threads run models, and how many decode pictures.
    public mutating func setThreads(_ count: Int) {
        let serving = ServingOptions(processors: count)
        self.serving.concurrentRuns = serving.concurrentRuns
        self.serving.decodingThreads = serving.decodingThreads
        self.serving.model.session.threadsPerRun = serving.model.session.threadsPerRun
    }
}
