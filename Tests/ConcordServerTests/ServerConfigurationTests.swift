import ArgumentParser
import ConcordCore
import ConcordMedia
import ConcordServeArguments
import ConcordServer
import ConcordTestSupport
import Logging
import Testing

@Suite struct ServerConfigurationTests {
    private func read(_ yaml: String) throws -> ServerConfiguration {
        var configuration = ServerConfiguration()
        try configuration.read(yaml: yaml, source: "server.yaml")
        return configuration
    }

    @Test func aFileSetsEverything() throws {
        let configuration = try read(
            """
            models: [small=artifacts/clip, artifacts/coca]
            aliases: [openai/clip-vit-base-patch32=small, text-embedding-3-small=small]
            host: 0.0.0.0
            port: 9000
            metrics_port: 9001
            keys: keys.json
            threads: 3
            body_bytes: 1000000
            image_pixels: 5000
            image_formats: [jpeg, avif, jp2]
            request_seconds: 2.5
            cross_origins: https://example.com
            host_names: [models.example.com, models]
            log_level: warning
            log_format: json
            canary_seconds: 0
            """)
        #expect(configuration.models.map(\.name) == ["small", nil])
        #expect(configuration.models.map(\.folder) == ["artifacts/clip", "artifacts/coca"])
        #expect(
            configuration.aliases == [
                ModelAlias(name: "openai/clip-vit-base-patch32", model: "small"),
                ModelAlias(name: "text-embedding-3-small", model: "small"),
            ])
        #expect(configuration.host == "0.0.0.0" && configuration.port == 9000 && configuration.metricsPort == 9001)
        #expect(configuration.keys == "keys.json" && configuration.serving.queue.workers == 3)
        #expect(configuration.bodyBytes == 1_000_000 && configuration.serving.imageLimits.maximumPixels == 5000)
        #expect(configuration.serving.imageLimits.formats == [.jpeg, .avif, .jpeg2000])
        #expect(ServerConfiguration().serving.imageLimits.formats == [.jpeg, .png, .webp, .gif])
        #expect(configuration.requestTimeout == .milliseconds(2500))
        #expect(configuration.crossOrigins == ["https://example.com"])
        #expect(configuration.hostNames == ["models.example.com", "models"])
        #expect(configuration.logLevel == .warning && configuration.logsJSON)
        #expect(configuration.serving.canaryInterval == nil)
        _ = try read("")
    }

    @Test(arguments: [
        ("prot: 80", "did you mean \"port\"?"), ("port: many", "port is \"many\""), ("port: 70000", "0…65535"),
        ("- a", "mapping"), ("port: [1, 2]", "1, 2"), ("port: {a: 1}", "a value or a list"), ("a: [", "not valid YAML"),
        ("aliases: [a]", "NAME=MODEL"), ("aliases: [a b=c]", "NAME=MODEL"), ("log_level: loud", "one of trace"),
        ("models: [\"a b=c\"]", "NAME=FOLDER"), ("idle_seconds: -1", "seconds"),
        ("image_formats: [jpeg, svg]", "a list of jpeg, png, webp, gif, tiff, bmp, avif, heic, jp2, jxl, ppm, tga"),
        ("image_formats: []", "a list of"),
    ])
    func whatIsWrongIsNamed(_ yaml: String, _ text: String) throws {
        let error = #expect(throws: ConcordError.self) { try read(yaml) }
        #expect(
            error?.code == .invalidConfiguration && error?.message.contains(text) == true, "\(error?.message ?? "")")
    }

    @Test func modelsMayHaveNames() throws {
        #expect(try ModelArgument("a=b/c") == ModelArgument(name: "a", folder: "b/c"))
        #expect(try ModelArgument("b/c") == ModelArgument(folder: "b/c"))
        #expect(try ModelArgument("./x=y/z") == ModelArgument(folder: "./x=y/z"))
        #expect(try ModelArgument("org/a-b_1.0=c/d=e") == ModelArgument(name: "org/a-b_1.0", folder: "c/d=e"))
        for folder in ["/x/y=z", "~/x=y", "../x=y"] {
            #expect(try ModelArgument(folder) == ModelArgument(folder: folder))
        }
        for bad in ["=b", "a=", "a//b=c", "a/=c", "a b=c"] {
            #expect(throws: ConcordError.self) { try ModelArgument(bad) }
        }
    }

    @Test func namesAreDistinctAndSomethingIsServed() {
        var configuration = ServerConfiguration()
        #expect(throws: ConcordError.self) { try configuration.validate() }
        configuration.models = [ModelArgument(name: "a", folder: "x"), ModelArgument(name: "a", folder: "y")]
        #expect(throws: ConcordError.self) { try configuration.validate() }
    }

    @Test func theCommandParses() throws {
        let command = try ServeCommand.parseAsRoot(["--model", "a=b", "--port", "0", "--log-format", "json"])
        #expect(command is ServeCommand)
        #expect(throws: (any Error).self) { try ServeCommand.parseAsRoot(["--prot", "1"]) }
    }
}
