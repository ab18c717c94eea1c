import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Foundation
import Testing

@Suite struct HubNamesTests {
    @Test func readsNamesAndRevisions() throws {
        let plain = try HubRepository(parsing: "openai/clip-vit-base-patch32")
        #expect(plain.owner == "openai" && plain.name == "clip-vit-base-patch32" && plain.revision == "main")
        #expect(plain.cacheName == "models--openai--clip-vit-base-patch32")
        #expect(plain.description == "openai/clip-vit-base-patch32")
        let tagged = try HubRepository(parsing: "a_b/C.d-1@refs/pr/3")
        #expect(tagged.identifier == "a_b/C.d-1" && tagged.revision == "refs/pr/3")
        #expect(tagged.description == "a_b/C.d-1@refs/pr/3")
    }

    @Test(arguments: [
        "", "cat", "/cat", "ann/", "ann/cat/", "ann/cat/dog", "../cat", "ann/..", "ann/a..b", "ann/a--b", "-ann/cat",
        "ann/.cat", "ann/cat.", "ann/cat-", "ann/cät", "ann/c t", "ann/c\nt", "ann/c\0t", "ann/cat.git", "ann\\x/cat",
        "ann/cat%2F", "ann/" + String(repeating: "x", count: 97),
        "ann/cat@", "ann/cat@/main", "ann/cat@main/", "ann/cat@a//b", "ann/cat@../x", "ann/cat@a/..", "ann/cat@a/.b",
        "ann/cat@a b", "ann/cat@a\nb", "ann/cat@a:b", "ann/cat@a?b", "ann/cat@a*", "ann/cat@a.lock", "ann/cat@-x",
        "ann/cat@a\\b", "ann/cat@é", "ann/cat@" + String(repeating: "x", count: 201),
    ])
    func refuses(_ text: String) throws {
        let error = #expect(throws: ConcordError.self) { try HubRepository(parsing: text) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains { $0.isNewline || $0 == "\0" } == false)
    }

    @Test func settingsFollowTheEnvironment() throws {
        func cache(_ environment: [String: String]) throws -> String {
            try HubSettings(environment: environment.merging(["HOME": "/h"]) { a, _ in a }).cacheFolder
        }
        #expect(try cache([:]) == "/h/.cache/huggingface/hub")
        #expect(try cache(["XDG_CACHE_HOME": "/x"]) == "/x/huggingface/hub")
        #expect(try cache(["XDG_CACHE_HOME": "/x", "HF_HOME": "~/y"]) == "/h/y/hub")
        #expect(try cache(["HF_HOME": "/y", "HUGGINGFACE_HUB_CACHE": "/old"]) == "/old")
        #expect(try cache(["HF_HOME": "/y", "HF_HUB_CACHE": "$A/${B}c$NONE", "A": "/a", "B": "b"]) == "/a/bc$NONE")
        #expect(try cache(["HF_HOME": "", "HF_HUB_CACHE": ""]) == "/h/.cache/huggingface/hub")

        let standard = try HubSettings(environment: ["HF_HOME": "/none"])
        #expect(standard.endpoint == "https://huggingface.co" && standard.token == nil && !standard.isOffline)
        #expect(
            try HubSettings(environment: ["HF_ENDPOINT": "https://hub.example//"]).endpoint == "https://hub.example")
        #expect(try HubSettings(environment: ["HF_HUB_OFFLINE": "yes"]).isOffline)
        #expect(try HubSettings(environment: ["TRANSFORMERS_OFFLINE": "1"]).isOffline)
        #expect(try !HubSettings(environment: ["HF_HUB_OFFLINE": "0"]).isOffline)
    }

    @Test func tokenComesFromTheEnvironmentThenFromAFile() throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/token", with: "hf_file\n")
            try Files.replace(folder + "/other", with: "hf_other")
            func token(_ environment: [String: String]) throws -> String? {
                try HubSettings(environment: environment.merging(["HF_HOME": folder]) { a, _ in a }).token
            }
            #expect(try token([:]) == "hf_file")
            #expect(try token(["HF_TOKEN": " hf_env\n"]) == "hf_env")
            #expect(try token(["HF_TOKEN": "", "HUGGING_FACE_HUB_TOKEN": "hf_old"]) == "hf_old")
            #expect(try token(["HF_TOKEN_PATH": folder + "/other"]) == "hf_other")
            #expect(try token(["HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"]) == nil)
            let error = #expect(throws: ConcordError.self) { try token(["HF_TOKEN": "hf_a\r\nX-Evil: 1"]) }
            #expect(error?.code == .invalidConfiguration && error?.message.contains("hf_a") == false)
        }
    }

    @Test(arguments: [
        ("https://a.b/c?d", "/e?f", "https://a.b/e?f"), ("http://a.b:81/c", "//x.y/z", "http://x.y/z"),
        ("https://a.b/c", "https://a.b:443/d#e", "https://a.b/d"),
        ("http://127.0.0.1:1/", "https://x.y", "https://x.y"),
        ("http://a.b", "http://[::1]:80/x", "http://[::1]/x"),
    ])
    func followsRedirects(_ from: String, _ location: String, _ to: String) throws {
        #expect(try HubURL(from)?.redirected(to: location).text == to)
    }

    @Test(arguments: [
        ("https://a.b/c", "http://a.b/c", "encrypted"), ("https://a.b/c", "http://127.0.0.1/c", "encrypted"),
        ("http://a.b/c", "file:///etc/passwd", "no http"), ("http://a.b/c", "ftp://a.b/c", "no http"),
        ("http://a.b/c", "http://user@x.y/c", "no http"), ("http://a.b/c", "http://x.y:99999/", "no http"),
        ("http://a.b/c", "http://x.y\\@a.b/", "no http"), ("http://a.b/c", "", "no http"),
        ("http://a.b/c", "http:///c", "no http"), ("http://a.b/c", "http://x.y/\u{1}", "no http"),
    ])
    func refusesRedirects(_ from: String, _ location: String, _ reason: String) throws {
        let address = try #require(HubURL(from))
        let error = #expect(throws: ConcordError.self) { try address.redirected(to: location) }
        #expect(error?.code == .invalidDownload && error?.message.contains(reason) == true)
    }

    @Test(arguments: [
        ("https://a.b", "https://a.b:443/", true), ("https://A.B", "https://a.b", true),
        ("http://a.b", "https://a.b", false),
        ("http://a.b:80", "http://a.b:81", false), ("http://a.b", "http://a.b.c", false),
        ("http://localhost", "http://127.0.0.1", false),
    ])
    func tellsOriginsApart(_ a: String, _ b: String, _ isSame: Bool) throws {
        #expect((try #require(HubURL(a)).origin == #require(HubURL(b)).origin) == isSame)
    }
}
