import ConcordCore
import ConcordRuntime
import ConcordServer
import ConcordTestSupport
import Foundation
import Synchronization
import Testing

/// What a URL must not be able to do, by name, and that a good one works.
@Suite struct ImageFetcherTests {
    /// A fetcher that may ask a server of this machine, and believes `names` of hosts.
    private func fetcher(
        _ server: ScriptedServer? = nil, names: [String: [String]] = [:],
        _ change: (inout ImageFetchOptions) -> Void = { _ in }
    ) throws -> ImageFetcher {
        var options = ImageFetchOptions()
        options.loopbackPort = server?.port
        options.timeout = .seconds(60)
        change(&options)
        return try ImageFetcher(options: options, resolver: HostResolver { names[$0] ?? [] })
    }

    private func failure(_ fetcher: ImageFetcher, _ url: String) async throws -> ConcordError {
        let error = try #require(await #expect(throws: ConcordError.self) { try await fetcher.fetch(url) })
        // Nothing about this network is told.
        for word in ["127.", "10.0", "169.254", "::1", "curl", "/tmp", "onnection refused"] {
            #expect(!error.message.contains(word), "\(error)")
        }
        return error
    }

    private static let picture = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    // MARK: - What works

    @Test func bytesComeAsTheyAre() async throws {
        let server = try ScriptedServer { _ in .init(headers: ["Content-Type": "text/html"], body: Self.picture) }
        let fetcher = try fetcher(server, names: ["pictures.test": ["127.0.0.1"]])
        for host in ["127.0.0.1", "pictures.test", "PICTURES.test"] {
            #expect(try await fetcher.fetch("http://\(host):\(server.port)/cat.png?size=2#part") == Self.picture)
        }
        #expect(server.requests.map(\.target) == Array(repeating: "/cat.png?size=2", count: 3))
        #expect(server.requests.map(\.method) == ["GET", "GET", "GET"])
        #expect(server.requests[1].headers["host"] == "pictures.test:\(server.port)")
        for header in ["authorization", "cookie", "referer", "proxy-authorization"] {
            #expect(server.requests[0].headers[header] == nil)
        }
    }

    @Test func redirectsAreFollowed() async throws {
        let server = try ScriptedServer { request in
            switch request.target {
            case "/a/start": .init(status: 302, headers: ["Location": "next?x=1"], text: "moved")
            case "/a/next?x=1": .init(status: 307, headers: ["Location": "/end"])
            case "/end": .init(status: 301, headers: ["Location": "?last"])
            default: .init(body: Self.picture)
            }
        }
        let fetcher = try fetcher(server)
        #expect(try await fetcher.fetch(server.address + "/a/start") == Self.picture)
        #expect(server.requests.map(\.target) == ["/a/start", "/a/next?x=1", "/end", "/end?last"])
    }

    // MARK: - URLs

    @Test(arguments: [
        "file:///etc/passwd", "ftp://example.com/a.png", "gopher://example.com/", "data:image/png;base64,AAAA",
        "dict://127.0.0.1:11211/", "javascript:alert(1)", "//example.com/a.png", "/etc/passwd", "example.com/a.png", "",
        "http:/example.com/a.png", "http:example.com", "http://", "http:///etc/passwd", "http://:80/",
    ]) func otherSchemesAndNoUrls(_ url: String) async throws {
        #expect(try await failure(fetcher(), url).code == .refusedAddress)
    }

    @Test(arguments: [
        "http://user@example.com/", "http://user:password@example.com/", "http://example.com@127.0.0.1/",
        "http://127.0.0.1#@example.com/", "http://example.com\\@127.0.0.1/", "http://@example.com/",
    ]) func userNamesAndWhatLooksLikeThem(_ url: String) async throws {
        #expect(try await failure(fetcher(names: ["example.com": ["93.184.216.34"]]), url).code == .refusedAddress)
    }

    @Test(arguments: [
        "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://127.1/",
        "http://127.0.1/", "http://017700000001/", "http://127.0.0.1./", "http://0/", "http://127.0.0.0x1/",
        "http://256.0.0.1/", "http://1.2.3.4.5/", "http://00000127.0.0.1/", "http://0x/",
    ]) func hostsAsOtherNumbers(_ url: String) async throws {
        let asked = Mutex<[String]>([])
        var options = ImageFetchOptions()
        options.ports = [80]
        let fetcher = try ImageFetcher(
            options: options,
            resolver: HostResolver { host in
                asked.withLock { $0.append(host) }
                return ["93.184.216.34"]
            })
        #expect(try await failure(fetcher, url).code == .refusedAddress)
        #expect(asked.withLock { $0 }.isEmpty)
    }

    @Test(arguments: [
        "http://exa mple.com/", "http://example.com/a b", "http://ex\u{E4}mple.com/", "http://example.com/\r\nX: 1",
        "http://example.com%2f@127.0.0.1/", "http://127.0.0.1%00.example.com/", "http://example..com/",
        "http://-example.com/", "http://example.com:0/", "http://example.com:99999/", "http://example.com:80a/",
        "http://[::1/", "http://[::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[127.0.0.1]/", "http://[]/",
        "http://１２７.0.0.1/", "http://example。com/", "http://" + String(repeating: "a", count: 64) + ".com/",
        "http://example.com/" + String(repeating: "a", count: 2048),
    ]) func hostsThatNotEverybodyReadsAlike(_ url: String) async throws {
        #expect(try await failure(fetcher(names: ["example.com": ["93.184.216.34"]]), url).code == .refusedAddress)
    }

    @Test func otherPorts() async throws {
        let server = try ScriptedServer { _ in .init(body: Self.picture) }
        let fetcher = try fetcher(names: ["pictures.test": ["93.184.216.34"]])
        for port in [22, 25, 6379, 8080, server.port] {
            #expect(try await failure(fetcher, "http://pictures.test:\(port)/").code == .refusedAddress)
        }
        #expect(server.requests.isEmpty)
    }

    // MARK: - Addresses

    /// Loopback, private, link-local, shared, multicast, unspecified, reserved, documentation; IPv6 that leads to IPv4.
    private static let refused = [
        "127.0.0.1", "127.255.255.254", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1",
        "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255", "224.0.0.1", "239.255.255.255", "0.0.0.0",
        "0.1.2.3", "240.0.0.1", "255.255.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1",
        "198.19.255.1",
        "198.51.100.1", "203.0.113.1", "192.88.99.1", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::ffff:93.184.216.34", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::5db8:d822", "64:ff9b:1::7f00:1",
        "2002:7f00:1::", "2002:5db8:d822::1", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:db8::1", "3fff::1",
        "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "100::1", "4000::1", "5f00::1",
    ]

    @Test(arguments: refused) func addressesThatAreNotTheInternets(_ address: String) async throws {
        let fetcher = try fetcher(names: [
            "pictures.test": [address], "one-of-two.test": ["93.184.216.34", address],
        ])
        let literal = address.contains(":") ? "[\(address)]" : address
        for url in ["http://\(literal)/", "http://pictures.test/", "https://one-of-two.test/a.png"] {
            #expect(try await failure(fetcher, url).code == .refusedAddress, "\(url)")
        }
    }

    @Test(arguments: [
        "93.184.216.34", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "169.253.0.1",
        "192.167.1.1", "198.17.0.1", "223.255.255.255", "2606:4700::1111", "2001:200::1", "2400:cb00::1", "2003::1",
    ]) func addressesThatAre(_ address: String) {
        #expect(IPAddress(address)?.isPublic == true)
    }

    @Test func hostsOfUnknownKindAreRefused() async throws {
        let fetcher = try fetcher(names: ["pictures.test": ["93.184.216.34", ""], "none.test": []])
        #expect(try await failure(fetcher, "http://pictures.test/").code == .refusedAddress)
        #expect(try await failure(fetcher, "http://none.test/").code == .fetch)
    }

    /// The port for tests opens this machine's own addresses, and nothing else.
    @Test func thePortForTestsOpensNothingElse() async throws {
        let server = try ScriptedServer { _ in .init(body: Self.picture) }
        let fetcher = try fetcher(
            server,
            names: [
                "inside.test": ["10.0.0.1"], "outside.test": ["93.184.216.34"], "both.test": ["127.0.0.1", "10.0.0.1"],
            ])
        for host in ["inside.test", "outside.test", "both.test", "169.254.169.254"] {
            #expect(try await failure(fetcher, "http://\(host):\(server.port)/").code == .refusedAddress)
        }
        #expect(try await failure(fetcher, "http://127.0.0.1:80/").code == .refusedAddress)
        #expect(server.requests.isEmpty)
    }

    /// A name that resolves to a good address first and to this machine afterwards.
    @Test func dnsRebinding() async throws {
        let server = try ScriptedServer { _ in .init(body: Self.picture) }
        let count = Mutex(0)
        var options = ImageFetchOptions()
        options.loopbackPort = server.port
        // The first answer is the one that is checked and connected to; the system's own resolver knows no such name.
        let fetcher = try ImageFetcher(
            options: options,
            resolver: HostResolver { _ in
                count.withLock {
                    $0 += 1
                    return $0 == 1 ? ["127.0.0.1"] : ["10.0.0.1"]
                }
            })
        #expect(try await fetcher.fetch("http://rebinding.test:\(server.port)/") == Self.picture)
        #expect(count.withLock { $0 } == 1)
        // Asked again, it is checked again.
        #expect(try await failure(fetcher, "http://rebinding.test:\(server.port)/").code == .refusedAddress)
        #expect(server.requests.count == 1)
    }

    @Test func onlyHostsOfTheList() async throws {
        let server = try ScriptedServer { _ in .init(body: Self.picture) }
        let names = ["a.test", "x.b.test", "b.test", "evil-a.test", "a.test.evil.test", "xb.test"]
        let fetcher = try fetcher(
            server, names: Dictionary(uniqueKeysWithValues: names.map { ($0, ["127.0.0.1"]) })
        ) { $0.hosts = ["A.test", "*.b.test"] }
        for host in ["a.test", "x.b.test"] {
            #expect(try await fetcher.fetch("http://\(host):\(server.port)/") == Self.picture)
        }
        for host in ["b.test", "evil-a.test", "a.test.evil.test", "xb.test", "127.0.0.1"] {
            #expect(try await failure(fetcher, "http://\(host):\(server.port)/").code == .refusedAddress)
        }
        #expect(server.requests.count == 2)
    }

    // MARK: - Redirects

    @Test(arguments: [
        "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:22/", "//10.0.0.1/", "file:///etc/passwd",
        "http://user@example.com/", "http://2130706433/", "https://[::1]/", "gopher://127.0.0.1:6379/_x",
        "http://inside.test/",
        "http://example.com:6379/", "http:\\\\127.0.0.1",
    ]) func redirectsAreCheckedAsUrlsAre(_ location: String) async throws {
        let server = try ScriptedServer { request in
            request.target == "/" ? .init(status: 302, headers: ["Location": location]) : .init(body: Self.picture)
        }
        let fetcher = try fetcher(
            server, names: ["inside.test": ["192.168.1.1"], "example.com": ["93.184.216.34"]])
        #expect(try await failure(fetcher, server.address + "/").code == .refusedAddress)
        #expect(server.requests.count == 1)
    }

    @Test func redirectsWithoutEnd() async throws {
        let server = try ScriptedServer { _ in .init(status: 302, headers: ["Location": "/again"]) }
        #expect(try await failure(fetcher(server), server.address).code == .fetch)
        #expect(server.requests.count == 4)
        let strict = try fetcher(server) { $0.maximumRedirects = 0 }
        server.forgetRequests()
        #expect(try await failure(strict, server.address).code == .fetch)
        #expect(server.requests.count == 1)
    }

    @Test func aRedirectsEndlessTextIsNotRead() async throws {
        let server = try ScriptedServer { request in
            var answer = ScriptedServer.Response(status: 302, headers: ["Location": "/picture"])
            (answer.announced, answer.end) = (nil, .flood)
            return request.target == "/picture" ? .init(body: Self.picture) : answer
        }
        #expect(try await fetcher(server).fetch(server.address) == Self.picture)
    }

    // MARK: - Answers

    @Test(arguments: [204, 206, 304, 400, 401, 404, 500, 302]) func answersThatAreNoPicture(_ status: Int) async throws
    {
        let server = try ScriptedServer { _ in .init(status: status, text: "secret text of an inner service") }
        let error = try await failure(fetcher(server), server.address)
        #expect(error.code == .fetch)
        #expect(!error.message.contains("secret"))
    }

    @Test func longerThanAllowed() async throws {
        let server = try ScriptedServer { request in
            var answer = ScriptedServer.Response(body: Self.picture)
            switch request.target {
            // It says so itself.
            case "/announced": (answer.announced, answer.end) = (1 << 40, .trickle)
            // It does not say, and goes on.
            case "/flood": (answer.announced, answer.end) = (nil, .flood)
            case "/nonsense": answer.headers["Content-Length"] = "many"
            default: break
            }
            if request.target == "/nonsense" { answer.announced = nil }
            return answer
        }
        let fetcher = try fetcher(server) { $0.maximumBytes = 5000 }
        #expect(try await fetcher.fetch(server.address + "/exact") == Self.picture)
        for target in ["/announced", "/flood", "/nonsense"] {
            #expect(try await failure(fetcher, server.address + target).code == .fetch, "\(target)")
        }
    }

    @Test func answersThatBreakOffOrAreNothing() async throws {
        let server = try ScriptedServer { request in
            var answer = ScriptedServer.Response(body: Self.picture)
            if request.target == "/short" { answer.sent = 100 }
            if request.target == "/empty" { answer = .init() }
            if request.target == "/coded" { answer.headers["Content-Encoding"] = "gzip" }
            if request.target == "/headers" {
                answer.headers = Dictionary(uniqueKeysWithValues: (0..<3000).map { ("X-\($0)", "some text or other") })
            }
            return answer
        }
        for target in ["/short", "/empty", "/coded", "/headers"] {
            #expect(try await failure(fetcher(server), server.address + target).code == .fetch, "\(target)")
        }
        #expect(try await failure(fetcher(names: ["closed.test": []]), "http://closed.test/").code == .fetch)
    }

    /// A body that never ends and stays below the cap: only the deadline ends it.
    @Test func slowAndEndless() async throws {
        let server = try ScriptedServer { _ in
            var answer = ScriptedServer.Response(body: [1])
            (answer.announced, answer.end) = (nil, .trickle)
            return answer
        }
        let short = try fetcher(server) { $0.timeout = .milliseconds(200) }
        #expect(try await failure(short, server.address).code == .fetch)
        let long = try fetcher(server)
        let error = await #expect(throws: ConcordError.self) {
            try await long.fetch(server.address, deadline: ContinuousClock.now + .milliseconds(200))
        }
        #expect(error?.code == .fetch)
        #expect(try #require(error).message.contains("longer than it may"))
    }

    @Test func aResolverThatHangs() async throws {
        let gate = DispatchSemaphore(value: 0)
        defer { gate.signal() }
        var options = ImageFetchOptions()
        options.timeout = .milliseconds(100)
        let fetcher = try ImageFetcher(
            options: options,
            resolver: HostResolver { _ in
                gate.wait()
                return []
            })
        #expect(try await failure(fetcher, "http://slow.test/").code == .fetch)
    }

    @Test func cancelledFetchesEnd() async throws {
        let (asked, continuation) = AsyncStream.makeStream(of: Void.self)
        let server = try ScriptedServer { _ in
            continuation.yield()
            var answer = ScriptedServer.Response(body: [1])
            (answer.announced, answer.end) = (nil, .trickle)
            return answer
        }
        let fetcher = try fetcher(server)
        let task = Task { try await fetcher.fetch(server.address) }
        for await _ in asked { break }
        task.cancel()
        let error = await #expect(throws: ConcordError.self) { try await task.value }
        #expect(error?.code == .cancelled)
    }

    @Test func moreThanMayWaitAreRefused() async throws {
        let gate = DispatchSemaphore(value: 0)
        let (started, continuation) = AsyncStream.makeStream(of: Void.self)
        var options = ImageFetchOptions()
        (options.concurrentFetches, options.maximumWaiting) = (1, 0)
        let fetcher = try ImageFetcher(
            options: options,
            resolver: HostResolver { _ in
                continuation.yield()
                gate.wait()
                return []
            })
        let first = Task { try await fetcher.fetch("http://slow.test/") }
        for await _ in started { break }
        #expect(try await failure(fetcher, "http://slow.test/").code == .unavailable)
        gate.signal()
        await #expect(throws: ConcordError.self) { try await first.value }
        gate.signal()
        #expect(try await failure(fetcher, "http://slow.test/").code == .fetch)
    }

    /// Proxies of the environment would resolve and connect by themselves. In a process of its own, since the environment
    /// is everybody's.
    @Test func proxiesOfTheEnvironmentAreNotUsed() async throws {
        await #expect(processExitsWith: .success) {
            let server = try ScriptedServer { _ in .init(body: [7]) }
            let proxy = try ScriptedServer { _ in .init(body: [1, 2, 3]) }
            for name in ["http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"] { setenv(name, proxy.address, 1) }
            var options = ImageFetchOptions()
            options.loopbackPort = server.port
            let fetcher = try ImageFetcher(options: options, resolver: HostResolver { _ in ["127.0.0.1"] })
            let bytes = try await fetcher.fetch("http://pictures.test:\(server.port)/")
            precondition(bytes == [7] && proxy.requests.isEmpty)
        }
    }

    @Test func optionsThatMakeNoSense() throws {
        let changes: [(inout ImageFetchOptions) -> Void] = [
            { $0.maximumBytes = 0 }, { $0.concurrentFetches = 0 }, { $0.maximumRedirects = -1 }, { $0.timeout = .zero },
            { $0.ports = [0] }, { $0.hosts = ["http://example.com"] }, { $0.hosts = ["a.*.com"] }, { $0.hosts = [""] },
            { $0.maximumWaiting = -1 }, { $0.concurrentFetchesPerHost = 0 },
        ]
        for change in changes {
            var options = ImageFetchOptions()
            change(&options)
            let error = #expect(throws: ConcordError.self) { try ImageFetcher(options: options) }
            #expect(error?.code == .invalidConfiguration)
        }
    }
}
