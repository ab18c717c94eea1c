import ConcordCore
import ConcordMedia
import ConcordRuntime
import Logging

/// The keys of `server.yaml`, each with what it sets.
package enum ServerSettings {
    /// The time at which a changed setting takes effect.
    package enum Effect: Sendable {
        /// As soon as the server is told to read its file again.
        case atOnce
        case afterRestart
    }

    package struct Setting: Sendable {
        package let key: String
        package let summary: String
        package let effect: Effect
        /// Sets what the texts say: one, or those of a list. Gives back what was expected instead, where they do not.
        let set: @Sendable (inout ServerConfiguration, [String]) throws(ConcordError) -> String?
        let isEqual: @Sendable (ServerConfiguration, ServerConfiguration) -> Bool
        /// Takes over the value of another configuration.
        let copy: @Sendable (_ source: ServerConfiguration, _ target: inout ServerConfiguration) -> Void
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

    package static let all: [Setting] = [
        Setting(
            key: "models", summary: "Models, each [NAME=]FOLDER.", effect: .atOnce,
            set: { configuration, texts throws(ConcordError) in
                configuration.models = try texts.map { text throws(ConcordError) in try ModelArgument(text) }
                return nil
            }, isEqual: { $0.models == $1.models }, copy: { $1.models = $0.models }),
        Setting(
            key: "aliases", summary: "Other names of models, each NAME=MODEL.", effect: .atOnce,
            set: { configuration, texts throws(ConcordError) in
                configuration.aliases = try texts.map { text throws(ConcordError) in try ModelAlias(text) }
                return nil
            }, isEqual: { $0.aliases == $1.aliases }, copy: { $1.aliases = $0.aliases }),
        value("host", "Address to listen on.", .afterRestart, \.host, "an address") { hostName($0) },
        integer("port", "Port; 0 takes a free one.", .afterRestart, 0...65535, \.port),
        value("metrics_port", "A port for /metrics alone.", .afterRestart, \.metricsPort, "a port") { text in
            Int(text).flatMap { (0...65535).contains($0) ? .some(.some($0)) : nil }
        },
        value("metrics_host", "Address of the port for /metrics.", .afterRestart, \.metricsHost, "an address") {
            hostName($0)
        },
        value("keys", "The file of keys.", .atOnce, \.keys, "a path") { $0 },
        value("threads", "Threads that run models and decode images.", .afterRestart, \.threads, "1 or more") {
            text in Int(text).flatMap { (1...1024).contains($0) ? $0 : nil }
        },
        integer("body_bytes", "Maximum bytes of one body.", .atOnce, 1024...(1 << 40), \.bodyBytes),
        integer("bodies_bytes", "Maximum bytes of all bodies at a time.", .atOnce, 1024...(1 << 40), \.bodiesBytes),
        integer(
            "image_bytes", "Maximum bytes of an encoded image.", .afterRestart, 16...(1 << 40),
            \.serving.imageLimits.maximumBytes),
        integer(
            "image_pixels", "Maximum pixels of an image.", .afterRestart, 1...(1 << 40),
            \.serving.imageLimits.maximumPixels),
        Setting(
            key: "image_formats",
            summary: "Accepted image formats (default: \(ServerConfiguration.imageFormatNames(ImageFormat.web))).",
            effect: .afterRestart,
            set: { configuration, texts in
                let formats = texts.compactMap(ImageFormat.init)
                guard !formats.isEmpty && formats.count == texts.count else {
                    return "a list of \(ServerConfiguration.imageFormatNames(ImageFormat.all))"
                }
                configuration.serving.imageLimits.formats = Set(formats)
                return nil
            }, isEqual: { $0.serving.imageLimits.formats == $1.serving.imageLimits.formats },
            copy: { $1.serving.imageLimits.formats = $0.serving.imageLimits.formats }),
        integer(
            "decoded_bytes", "Maximum bytes of all images being decoded.", .afterRestart, 1024...(1 << 40),
            \.serving.decodedBytes),
        integer("connections", "Maximum number of connections.", .afterRestart, 1...1_000_000, \.connections),
        integer(
            "queue_capacity", "Maximum number of items that wait for a model.", .afterRestart, 1...10_000_000,
            \.serving.queue.capacity),
        integer(
            "caption_batch", "Maximum number of images captioned together.", .afterRestart, 1...256,
            \.serving.captionBatch),
        integer(
            "cached_embeddings", "Number of cached image vectors; 0 disables the cache.", .afterRestart,
            0...100_000_000,
            \.serving.cachedEmbeddings),
        value(
            "model_bytes", "Memory limit for all models, in bytes.", .atOnce, \.serving.modelBytes, "a number of bytes"
        ) { text in Int(text).flatMap { $0 > 0 ? .some(.some($0)) : nil } },
        value(
            "bulk_share", "Minimum share of the work for bulk requests.", .afterRestart, \.serving.queue.bulkShare,
            "in 0…1"
        ) { text in Double(text).flatMap { (0...1).contains($0) ? $0 : nil } },
        value(
            "verify_hashes", "Compare files with their hashes.", .atOnce, \.serving.model.verifiesHashes,
            "true or false"
        ) { flags[$0] },
        value(
            "canary_seconds", "Interval between canary checks; 0 disables them.", .afterRestart,
            \.serving.canaryInterval,
            "a number of seconds"
        ) { text in seconds(text).map { $0 > .zero ? $0 : nil } },
        duration(
            "longest_wait_seconds", "Refuse requests that would wait longer.", .afterRestart,
            \.serving.queue.longestWait
        ),
        value(
            "longest_run_seconds", "Cap a run at the items that finish in this time (at least two).", .afterRestart,
            \.serving.queue.longestRun, "a number of seconds in 0…86400"
        ) { text in seconds(text).map(Optional.some) },
        duration(
            "stuck_after_seconds", "Abandon a run that takes longer.", .afterRestart, \.serving.queue.stuckAfter),
        duration("idle_seconds", "Close idle connections after this time.", .afterRestart, \.idleTimeout),
        duration("body_seconds", "Timeout of a body that brings nothing.", .afterRestart, \.bodyTimeout),
        duration("request_seconds", "Timeout of a request.", .atOnce, \.requestTimeout),
        duration("drain_delay_seconds", "Time for which a stopping server still answers.", .afterRestart, \.drainDelay),
        duration("drain_seconds", "Time for which it then waits for accepted requests.", .afterRestart, \.drainTimeout),
        Setting(
            key: "image_urls", summary: "Fetch images from http and https URLs.", effect: .atOnce,
            set: { configuration, texts in
                guard texts.count == 1, let flag = flags[texts[0]] else { return "true or false" }
                configuration.imageFetching = flag ? configuration.imageFetching ?? ImageFetchOptions() : nil
                return nil
            }, isEqual: { ($0.imageFetching == nil) == ($1.imageFetching == nil) },
            copy: { $1.imageFetching = $0.imageFetching }),
        Setting(
            key: "image_url_hosts", summary: "Fetch images from these hosts only; *.NAME for all subdomains.",
            effect: .atOnce,
            set: { configuration, texts in
                var options = configuration.imageFetching ?? ImageFetchOptions()
                options.hosts = texts
                configuration.imageFetching = options
                return nil
            }, isEqual: { $0.imageFetching?.hosts == $1.imageFetching?.hosts },
            copy: { $1.imageFetching = $0.imageFetching }),
        list("cross_origins", "Origins whose pages may use the server from a browser.", \.crossOrigins),
        list("host_names", "Host names that a server without keys answers to; * for all.", \.hostNames),
        value(
            "log_level", "trace, debug, info, notice, warning, error or critical.", .atOnce, \.logLevel,
            "one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))"
        ) { Logger.Level(rawValue: $0) },
        value("log_format", "text or json.", .afterRestart, \.logsJSON, "text or json") { text in
            ["text": false, "json": true][text]
        },
    ]

    private static let flags = ["true": true, "false": false]

    /// An address without the brackets that IPv6 has in URLs; `nil` for nothing.
    package static func hostName(_ text: String) -> String? {
        let isBracketed = text.hasPrefix("[") && text.hasSuffix("]") && text.count > 2
        let name = isBracketed ? String(text.dropFirst().dropLast()) : text
        return name.isEmpty ? nil : name
    }

    private static func seconds(_ text: String) -> Duration? {
        guard let seconds = Double(text), (0...86400).contains(seconds) else { return nil }
        return .seconds(seconds)
    }

    /// A setting of one value.
    ///
    /// - Parameters:
    ///   - expected: what the text must be.
    ///   - read: the value that a text says; `nil` for none.
    private static func value<Value: Equatable & Sendable>(
        _ key: String, _ summary: String, _ effect: Effect,
        _ path: any WritableKeyPath<ServerConfiguration, Value> & Sendable, _ expected: String,
        _ read: @escaping @Sendable (String) -> Value?
    ) -> Setting {
        setting(key, summary, effect, path) { texts in
            guard texts.count == 1, let value = read(texts[0]) else { return .failure(Expectation(text: expected)) }
            return .success(value)
        }
    }

    private static func list(
        _ key: String, _ summary: String, _ path: any WritableKeyPath<ServerConfiguration, [String]> & Sendable
    ) -> Setting {
        setting(key, summary, .atOnce, path) { .success($0) }
    }

    private static func integer(
        _ key: String, _ summary: String, _ effect: Effect, _ range: ClosedRange<Int>,
        _ path: any WritableKeyPath<ServerConfiguration, Int> & Sendable
    ) -> Setting {
        value(key, summary, effect, path, "a whole number in \(range.lowerBound)…\(range.upperBound)") { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    private static func duration(
        _ key: String, _ summary: String, _ effect: Effect,
        _ path: any WritableKeyPath<ServerConfiguration, Duration> & Sendable
    ) -> Setting {
        value(key, summary, effect, path, "a number of seconds in 0…86400", seconds)
    }

    /// The form that a text was expected to have.
    private struct Expectation: Error {
        let text: String
    }

    private static func setting<Value: Equatable & Sendable>(
        _ key: String, _ summary: String, _ effect: Effect,
        _ path: any WritableKeyPath<ServerConfiguration, Value> & Sendable,
        _ read: @escaping @Sendable ([String]) -> Result<Value, Expectation>
    ) -> Setting {
        Setting(
            key: key, summary: summary, effect: effect,
            set: { configuration, texts in
                switch read(texts) {
                case .success(let value): configuration[keyPath: path] = value
                case .failure(let expectation): return expectation.text
                }
                return nil
            }, isEqual: { $0[keyPath: path] == $1[keyPath: path] },
            copy: { source, target in target[keyPath: path] = source[keyPath: path] })
    }
}

extension ServerConfiguration {
    /// Takes over what a file `server.yaml` says; its keys are those that `concord-server --settings` lists.
    ///
    /// - Parameter source: what errors call the file.
    /// - Throws: `.invalidConfiguration`, with the nearest key for one that is unknown.
    package mutating func read(yaml: String, source: String) throws(ConcordError) {
        try ServerSettings.read(yaml, source: source, into: &self)
    }

    /// The names of formats, in the order that they are always listed in.
    package static func imageFormatNames(_ formats: Set<ImageFormat>) -> String {
        ImageFormat.allCases.filter(formats.contains).map(\.rawValue).joined(separator: ", ")
    }

    /// Sets the number of threads that run models, and that decode images.
    package mutating func setThreads(_ count: Int) { threads = count }

    fileprivate var threads: Int {
        get { serving.decodingThreads }
        set {
            let serving = ServingOptions(processors: newValue)
            self.serving.queue.workers = serving.queue.workers
            self.serving.decodingThreads = serving.decodingThreads
            self.serving.model.session.threadsPerRun = serving.model.session.threadsPerRun
        }
    }

    /// This configuration with those settings of another that need no restart.
    ///
    /// - Returns: the keys of settings that changed, and of those that differ but have to wait for a restart.
    func taking(
        over other: ServerConfiguration
    ) -> (configuration: ServerConfiguration, changed: [String], waiting: [String]) {
        var result = self, changed: [String] = [], waiting: [String] = []
        for setting in ServerSettings.all where !setting.isEqual(self, other) {
            // Nobody loses the protection of keys by a slip in a file.
            let isKept = setting.key == "keys" && other.keys == nil
            guard setting.effect == .atOnce, !isKept else {
                waiting.append(setting.key)
                continue
            }
            setting.copy(other, &result)
            changed.append(setting.key)
        }
        return (result, changed, waiting)
    }
}
