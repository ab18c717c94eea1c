import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Foundation
import Testing

/// Refusals, redirects, tokens, and lists that are not to be trusted.
@Suite struct HubErrorTests {
    private func failure(_ hub: HubTestHub, token: String? = nil) -> ConcordError? {
        #expect(throws: ConcordError.self) { try hub.pull { $0.token = token } }
    }

    @Test(
        arguments: [
            (401, [:], nil, "set HF_TOKEN to a token that may read it"),
            (401, [:], "hf_secret", "the token may not see it"),
            (403, ["X-Error-Code": "GatedRepo"], "hf_secret", "ask for access at"),
            (404, ["X-Error-Code": "RevisionNotFound"], nil, "no revision `main`"),
            (404, ["X-Error-Code": "RepoNotFound"], nil, "no such model"),
            (404, [:], nil, "no such model"),
            (429, ["Retry-After": "17"], nil, "try again in 17 s"),
            (429, [:], "hf_secret", "try again later"),
            (500, [:], nil, "the hub has trouble"),
            (503, [:], nil, "the hub has trouble"),
            (418, [:], nil, "HF_ENDPOINT"),
            (304, [:], nil, "HF_ENDPOINT"),
        ] as [(Int, [String: String], String?, String)])
    func saysWhatARefusalMeans(_ status: Int, _ headers: [String: String], _ token: String?, _ advice: String) throws {
        let said = "the hub's\\u0007 own words"
        let hub = try HubTestHub { _ in .init(status: status, headers: headers, text: #"{"error": "\#(said)"}"#) }
        let error = failure(hub, token: token)
        #expect(error?.code == .hub)
        #expect(error?.message.contains(advice) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("status \(status)") == true && error?.message.contains("ann/cat") == true)
        #expect(error?.message.contains("the hub's\u{FFFD} own words") == true || status == 304)
        #expect(error?.message.contains("hf_secret") == false)
    }

    @Test func aFileThatIsRefusedIsNamed() throws {
        let hub = try HubTestHub { request in
            request.target.hasSuffix("/tokenizer.json")
                ? .init(status: 404, headers: ["X-Error-Code": "EntryNotFound", "X-Error-Message": "gone"], text: "")
                : nil
        }
        let error = failure(hub)
        #expect(error?.message.contains("tokenizer.json of ann/cat") == true)
        #expect(error?.message.contains("(gone)") == true && error?.message.contains("no such file") == true)
    }

    @Test func anEndlessRefusalIsCutOff() throws {
        let hub = try HubTestHub { _ in
            var response = ScriptedServer.Response(status: 500, text: "")
            response.announced = nil
            response.end = .flood
            return response
        }
        #expect(failure(hub)?.message.contains("status 500") == true)
    }

    @Test func noAnswerSaysSo() throws {
        let hub = try HubTestHub()
        let error = #expect(throws: ConcordError.self) { try hub.pull { $0.endpoint = "http://127.0.0.1:1" } }
        #expect(error?.code == .hub && error?.message.contains("cannot reach http://127.0.0.1:1") == true)
        for endpoint in ["hub.example", "file:///tmp", "http://user@hub.example", "https://hub.example/?x", ""] {
            let error = #expect(throws: ConcordError.self) { try hub.pull { $0.endpoint = endpoint } }
            #expect(error?.code == .invalidConfiguration && error?.message.contains("HF_ENDPOINT") == true)
        }
        let token = #expect(throws: ConcordError.self) { try hub.pull { $0.token = "hf_a\r\nX-Evil: 1" } }
        #expect(token?.code == .invalidConfiguration && token?.message.contains("hf_a") == false)
        #expect(hub.server.requests.isEmpty)
    }

    // MARK: Redirects

    @Test func theTokenStaysWithItsHost() throws {
        let storage = try ScriptedServer { HubTestHub.content(HubTestHub.weights, for: $0) }
        let hub = try HubTestHub { [address = storage.address] request in
            guard request.target.hasSuffix("/model.safetensors") else { return nil }
            return .init(status: 302, headers: ["Location": address + "/blob?signature=s3cret"])
        }
        _ = try hub.pull { $0.token = "hf_secret" }
        #expect(try Files.read(hub.blob("model.safetensors")) == HubTestHub.weights)
        #expect(hub.server.requests.allSatisfy { $0.headers["authorization"] == "Bearer hf_secret" })
        #expect(storage.requests.map(\.target) == ["/blob?signature=s3cret"])
        #expect(storage.requests.allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test func theTokenFollowsOnItsHost() throws {
        let hub = try HubTestHub { request in
            if request.target.hasPrefix("/api/models/ann/cat/") {
                return .init(status: 307, headers: ["Location": "/api/moved"])
            }
            return request.target == "/api/moved" ? .init(text: HubTestHub.listing(HubTestHub.model).text()) : nil
        }
        _ = try hub.pull { $0.token = "hf_secret" }
        #expect(hub.server.requests.map(\.target).prefix(2).last == "/api/moved")
        #expect(hub.server.requests.allSatisfy { $0.headers["authorization"] == "Bearer hf_secret" })
    }

    @Test func theTokenDoesNotComeBackFromAnotherHost() throws {
        let hub = try HubTestHub { request in
            request.target == "/back" ? .init(body: HubTestHub.weights) : nil
        }
        let storage = try ScriptedServer { [address = hub.server.address] _ in
            .init(status: 302, headers: ["Location": address + "/back"])
        }
        let relay = try HubTestHub { [there = storage.address, back = hub.server] request in
            _ = back
            guard request.target.hasSuffix("/model.safetensors") else { return nil }
            return .init(status: 302, headers: ["Location": there])
        }
        _ = try relay.pull { $0.token = "hf_secret" }
        #expect(hub.server.requests.map(\.target) == ["/back"])
        #expect((hub.server.requests + storage.requests).allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test func resumesAtTheStorageHost() throws {
        let storage = try ScriptedServer { request in
            var response = HubTestHub.content(HubTestHub.weights, for: request)
            if request.rangeStart == nil { response.sent = 1000 }
            return response
        }
        let hub = try HubTestHub { [address = storage.address] request in
            request.target.hasSuffix("/model.safetensors")
                ? .init(status: 302, headers: ["Location": address + "/blob"]) : nil
        }
        _ = try hub.pull()
        #expect(storage.requests.map(\.rangeStart) == [nil, 1000])
    }

    @Test(arguments: [
        ("/loop", "redirects on and on"), ("file:///etc/passwd", "no http or https"), ("ftp://127.0.0.1/x", "no http"),
        ("gopher://127.0.0.1/x", "no http"), ("", "no http"),
    ])
    func redirectsThatAreNotFollowed(_ location: String, _ reason: String) throws {
        let hub = try HubTestHub { request in
            request.target.hasPrefix("/api/") ? nil : .init(status: 302, headers: ["Location": location])
        }
        let error = failure(hub)
        #expect(error?.code == .invalidDownload)
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
        #expect(hub.server.requests.count <= 7)
    }

    // MARK: Lists

    @Test(arguments: [
        "../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a/./b", "a/", "", "..", "a\\..\\b", "C:x", "a\0b", "a\nb",
        "config.json", String(repeating: "a", count: 256),
    ])
    func aPathOutsideOfTheRepositoryIsRefused(_ path: String) throws {
        var listing = HubTestHub.listing(HubTestHub.model)
        let entry: JSONValue = ["rfilename": .string(path), "size": 1, "blobId": .string(HubTestHub.commit)]
        listing = ["sha": listing["sha"] ?? .null, "siblings": .array((listing["siblings"]?.elements ?? []) + [entry])]
        let hub = try HubTestHub(listing: listing)
        let error = failure(hub)
        #expect(error?.code == .invalidDownload)
        #expect(hub.fileRequests.isEmpty && !Files.exists(hub.folder.path + "/hub"))
    }

    @Test(arguments: [
        #"{"sha": "main", "siblings": []}"#, #"{"sha": "../../../../../../../../../../../../tmp/x", "siblings": []}"#,
        #"{"sha": "0123456789ABCDEF0123456789abcdef01234567", "siblings": []}"#, #"{"siblings": []}"#, "[]", "{", "",
        "<html>log in</html>", #"{"sha": "0123456789abcdef0123456789abcdef01234567"}"#,
        #"{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [{}]}"#,
        #"{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": ["x"]}"#,
    ])
    func aListThatIsNoneIsRefused(_ text: String) throws {
        let hub = try HubTestHub { _ in .init(text: text) }
        #expect(failure(hub)?.code == .invalidDownload)
        #expect(!Files.exists(hub.folder.path + "/hub"))
    }

    @Test func anEndlessListIsCutOff() throws {
        let hub = try HubTestHub { _ in
            var response = ScriptedServer.Response(text: "[")
            response.announced = nil
            response.end = .flood
            return response
        }
        #expect(failure(hub)?.message.contains("more than the 33554432 bytes allowed") == true)
    }

    /// A hash is the name of a file in the cache.
    @Test func aHashThatIsNoneIsNotUsed() throws {
        let entries: [JSONValue] = ["config.json", "model.safetensors"].map {
            ["rfilename": $0, "size": 1, "blobId": "../../../x", "lfs": ["sha256": "../../x", "size": 1]]
        }
        let hub = try HubTestHub(
            listing: ["sha": .string(HubTestHub.commit), "siblings": .array(entries)]
        ) { $0.method == "HEAD" ? .init(headers: ["ETag": "../../x"], text: "a") : nil }
        #expect(failure(hub)?.message.contains("neither length nor hash") == true)
    }
}
