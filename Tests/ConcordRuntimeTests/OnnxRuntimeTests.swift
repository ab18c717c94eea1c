import COnnxRuntime
import ConcordCore
import ConcordRuntime
import ConcordTestSupport
import Foundation
import Testing

@Suite struct OnnxRuntimeTests {
    private func failure(_ environment: [String: String]) throws -> ConcordError {
        let error = #expect(throws: ConcordError.self) { try OnnxRuntime.load(environment: environment) }
        return try #require(error)
    }

    @Test func opensTheLibraryThatTheSetUpInstalled() throws {
        let runtime = try OnnxRuntime.shared()
        #expect(runtime.version.hasPrefix("1."))
        #expect(runtime.path.contains("libonnxruntime"))
        #expect(try OnnxRuntime.shared() === runtime)
    }

    @Test func opensWhatTheVariableNamesAsFileFolderOrFolderAbove() throws {
        let path = try OnnxRuntime.shared().path
        try #require(path.contains("/"))
        let folder = Files.parent(of: path)
        for place in [path, folder, Files.parent(of: folder)] {
            let runtime = try OnnxRuntime.load(environment: ["ONNXRUNTIME": place])
            #expect(runtime.path.hasSuffix(path.split(separator: "/").last ?? "?"))
            let session = try OnnxSession(bytes: SmallModels.linear(), runtime: runtime)
            #expect(session.runtime === runtime)
        }
        // Empty is as good as not set.
        #expect(try OnnxRuntime.load(environment: ["ONNXRUNTIME": ""]).path == OnnxRuntime.load(environment: [:]).path)
    }

    @Test func aVariableThatNamesNothingIsAnErrorAndNoOtherPlaceIsTried() throws {
        let error = try failure(["ONNXRUNTIME": "/no/such/libonnxruntime.so"])
        #expect(error.code == .unavailable)
        #expect(error.message.contains("/no/such/libonnxruntime.so (not there)"))
        #expect(error.message.contains("variable ONNXRUNTIME"))
        #expect(!error.message.contains(".deps"))
    }

    @Test func saysWhenAFileIsNoLibraryOrAnotherOne() throws {
        try withTemporaryFolder { folder in
            let text = folder + "/libonnxruntime.so"
            try Files.replace(text, with: "not a library")
            let error = try failure(["ONNXRUNTIME": text])
            #expect(error.code == .unavailable)
            #expect(error.message.contains(text))
            // A folder is searched for the newest library in it.
            #expect(try failure(["ONNXRUNTIME": folder]).message.contains(text))
            try Files.replace(folder + "/libonnxruntime.so.1.9.0", with: "x")
            try Files.replace(folder + "/libonnxruntime.so.1.21.0", with: "x")
            try Files.replace(folder + "/libonnxruntime_providers_shared.so", with: "x")
            #expect(try failure(["ONNXRUNTIME": folder]).message.contains("libonnxruntime.so.1.21.0"))
        }
        #if os(Linux)
            #expect(try failure(["ONNXRUNTIME": "libm.so.6"]).message.contains("not ONNX Runtime"))
        #endif
    }

    @Test func looksBesideTheExecutableThenWhereItWasBuiltThenWhereItMovedThenInTheUsersFolder() throws {
        let places = OnnxRuntime.places(executable: "/moved/.build/linux/release/app", home: "/home/ada")
        let expected = [
            "/moved/.build/linux/release", "/moved/.build/linux/release/../lib",
            "/moved/.build/linux/release/../../../.deps/onnxruntime/lib",
            "/home/ada/.local/share/concord/onnxruntime/lib",
        ]
        #expect(places.filter(expected.contains) == expected)
        let built = try #require(places.firstIndex { $0.hasSuffix(".deps/onnxruntime/lib") })
        #expect(built == 2 && !places[built].hasPrefix("/moved"))
        // What the system finds comes last.
        #expect(places.suffix(2).allSatisfy { !$0.contains("/") })
        #expect(OnnxRuntime.places(executable: nil, home: nil).count == 3)
    }

    @Test func comparesReleasesAsNumbers() {
        for version in ["1.18.0", "1.32.0", "1.100.0-rc1", "2.0.0"] { #expect(cort_is_new_enough(version)) }
        for version in ["1.17.9", "1.9.0", "0.99.0", "", "x", "1", "1."] { #expect(!cort_is_new_enough(version)) }
        #expect(OnnxRuntime.minimumVersion == "1.18.0")
    }
}
