// swift-tools-version: 6.2
import Foundation
import PackageDescription

// The upper half of the package needs libtorch: the folder that $LIBTORCH names, the one that `make setup` fills, or the
// one for all packages of a user that `scripts/setup.sh --shared` fills. Where there is none, compiling CTorch says so,
// and what does without libtorch still builds as a dependency. `LIBTORCH=/none` leaves the upper half out.
let ownLibtorch = Context.packageDirectory + "/.deps/libtorch"
let libtorch: String? = {
    if let named = Context.environment["LIBTORCH"], !named.isEmpty { return named == "/none" ? nil : named }
    let shared = (Context.environment["HOME"] ?? "") + "/.local/share/concord/libtorch"
    let isThere = [ownLibtorch, shared].first { FileManager.default.fileExists(atPath: $0 + "/include/ATen/ATen.h") }
    return isThere ?? ownLibtorch
}()

// Where programs look for libtorch at run time, beside their own folder, which Swift's package manager puts first:
// in the `.deps` of their checkout, wherever it has been moved to, then where it was when they were linked.
func runPaths(_ libtorch: String) -> [String] {
    #if os(macOS)
        let origin = "@loader_path"
    #else
        let origin = "$ORIGIN"
    #endif
    let folders = (libtorch == ownLibtorch ? [origin + "/../../../.deps/libtorch/lib"] : []) + [libtorch + "/lib"]
    return folders.flatMap { ["-Xlinker", "-rpath", "-Xlinker", $0] }
}

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.init(stringLiteral: name), "ConcordTestSupport"] + dependencies,
        swiftSettings: swiftSettings)
}

let package = Package(
    name: "concord",
    platforms: [.macOS(.v15)],
    // A product lists all modules that its users may import: its own, and those that its public declarations speak of.
    products: [
        .library(
            name: "ConcordData",
            targets: [
                "ConcordData", "ConcordEmoji", "ConcordCheckpoint", "ConcordMedia", "ConcordText", "ConcordCore",
            ]),
        .library(
            name: "ConcordRuntime",
            targets: [
                "ConcordRuntime", "ConcordExport", "ConcordCheckpoint", "ConcordMedia", "ConcordText", "ConcordCore",
            ]),
        .library(
            name: "ConcordServer",
            targets: [
                "ConcordServer", "ConcordRuntime", "ConcordCheckpoint", "ConcordMedia", "ConcordText", "ConcordCore",
            ]),
        .executable(name: "concord-server", targets: ["ConcordServerCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        // Without its two defaults, which are not used: SwiftPM passes several traits on in any order, and would compile
        // the module anew at every second planning of a build.
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
        // Without its defaults, since one of them brings all of Foundation.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        // What Hummingbird stands on, for what its own modules do not pass on.
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
    ],
    targets: [
        library("ConcordPlatform"),
        .systemLibrary(
            name: "CYAML", pkgConfig: "yaml-0.1",
            providers: [.apt(["libyaml-dev"]), .brew(["libyaml"])]),
        library("ConcordCore", ["ConcordPlatform", "CYAML"]),
        .systemLibrary(
            name: "CSentencePieceLibrary", pkgConfig: "sentencepiece",
            providers: [.apt(["libsentencepiece-dev"]), .brew(["sentencepiece"])]),
        .target(name: "CSentencePiece", dependencies: ["CSentencePieceLibrary"]),
        .systemLibrary(
            name: "CUTF8Proc", pkgConfig: "libutf8proc",
            providers: [.apt(["libutf8proc-dev"]), .brew(["utf8proc"])]),
        library("ConcordText", ["ConcordPlatform", "ConcordCore", "CSentencePiece", "CUTF8Proc"]),
        .systemLibrary(
            name: "CVips", pkgConfig: "vips",
            providers: [.apt(["libvips-dev"]), .brew(["vips"])]),
        .systemLibrary(
            name: "CTIFF", pkgConfig: "libtiff-4",
            providers: [.apt(["libtiff-dev"]), .brew(["libtiff"])]),
        .systemLibrary(
            name: "CAVIF", pkgConfig: "libavif",
            providers: [.apt(["libavif-dev"]), .brew(["libavif"])]),
        .systemLibrary(
            name: "CHarfBuzz", pkgConfig: "harfbuzz",
            providers: [.apt(["libharfbuzz-dev"]), .brew(["harfbuzz"])]),
        library("ConcordMedia", ["ConcordPlatform", "ConcordCore", "CVips", "CTIFF", "CAVIF", "CHarfBuzz"]),
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .systemLibrary(
            name: "CXXHash", pkgConfig: "libxxhash",
            providers: [.apt(["libxxhash-dev"]), .brew(["xxhash"])]),
        library("ConcordCheckpoint", ["ConcordPlatform", "ConcordCore", "CCurl", "COpenSSL", "CXXHash"]),
        library("ConcordData", ["ConcordPlatform", "ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint"]),
        // Apart from ConcordData, because it reads XML with Foundation.
        library("ConcordEmoji", ["ConcordCore", "ConcordData", "ConcordMedia"]),
        .target(
            name: "COnnxRuntime",
            cSettings: [
                // Where `make setup` puts the library, one of the places where it is looked for at run time.
                .define("CONCORD_ONNXRUNTIME_FOLDER", to: "\"\(Context.packageDirectory)/.deps/onnxruntime/lib\"")
            ]),
        library(
            "ConcordRuntime",
            [
                "ConcordPlatform", "ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint", "ConcordData",
                "COnnxRuntime",
            ]),
        .target(
            name: "ConcordExport",
            dependencies: [
                "ConcordCore", "ConcordRuntime", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ], exclude: ["OnnxFile/onnx.proto"], swiftSettings: swiftSettings),
        .systemLibrary(name: "CAllocator"),
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .target(
            name: "ConcordServer",
            dependencies: [
                "ConcordPlatform", "ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint", "ConcordRuntime",
                "CAllocator", "CCurl", "CZlib",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ], swiftSettings: swiftSettings),
        .executableTarget(
            name: "ConcordServerCommand",
            dependencies: ["ConcordServer", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: swiftSettings),
        library(
            "ConcordTestSupport",
            [
                "ConcordCore", "ConcordCheckpoint", "ConcordText", "ConcordMedia", "ConcordRuntime", "ConcordExport",
            ]),
        tests("ConcordCore"),
        tests("ConcordText", ["ConcordCheckpoint"]),
        tests("ConcordMedia", ["ConcordCheckpoint"]),
        tests("ConcordCheckpoint"),
        tests("ConcordData", ["ConcordMedia", "ConcordText"]),
        tests("ConcordEmoji", ["ConcordCore", "ConcordData", "ConcordMedia"]),
        tests(
            "ConcordRuntime",
            ["COnnxRuntime", "ConcordCheckpoint", "ConcordExport", "ConcordMedia", "ConcordText"]),
        tests("ConcordExport", ["ConcordRuntime", .product(name: "SwiftProtobuf", package: "swift-protobuf")]),
        tests(
            "ConcordServer",
            [
                "ConcordCore", "ConcordText", "ConcordMedia", "ConcordRuntime",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]),
    ],
    cxxLanguageStandard: .cxx20
)

if let libtorch {
    let isCUDA = FileManager.default.fileExists(atPath: libtorch + "/lib/libtorch_cuda.so")
    package.products += [
        .library(
            name: "Concord",
            targets: [
                "Concord", "ConcordTrain", "ConcordRecording", "ConcordModels", "ConcordLosses", "ConcordNN",
                "ConcordTensor", "ConcordExport", "ConcordRuntime", "ConcordEmoji", "ConcordData", "ConcordMedia",
                "ConcordText", "ConcordCheckpoint", "ConcordCore",
            ]),
        .executable(name: "concord", targets: ["ConcordCommand"]),
    ]
    package.targets += [
        .target(
            name: "CTorch",
            cxxSettings: [
                // libtorch is built with it, and some of its inline types differ without.
                .define("NDEBUG"),
                // Processes talk through Gloo, which libtorch contains; only its headers come from elsewhere.
                .define("USE_C10D_GLOO"),
                .unsafeFlags([
                    "-I\(libtorch)/include", "-I\(libtorch)/include/torch/csrc/api/include",
                    "-Wno-deprecated-declarations",
                    // Says what to do where libtorch is missing.
                    "-include", Context.packageDirectory + "/Sources/CTorch/libtorch.h",
                ]),
            ],
            linkerSettings: [
                .unsafeFlags(["-L\(libtorch)/lib"] + runPaths(libtorch)),
                .linkedLibrary("torch_cpu"), .linkedLibrary("c10"),
            ]
                // Nothing refers to a symbol of torch_cuda; without the flag the linker drops it, and CUDA with it.
                + (isCUDA
                    ? [.unsafeFlags(["-Xlinker", "--no-as-needed", "-ltorch_cuda", "-lc10_cuda"])] : [])),
        library("ConcordTensor", ["ConcordCore", "CTorch"]),
        library("ConcordNN", ["ConcordCore", "ConcordTensor", "ConcordCheckpoint"]),
        library("ConcordLosses", ["ConcordCore", "ConcordTensor"]),
        library("ConcordModels", ["ConcordCore", "ConcordText", "ConcordTensor", "ConcordNN", "ConcordCheckpoint"]),
        library(
            "ConcordTrain",
            [
                "ConcordCore", "ConcordTensor", "ConcordNN", "ConcordLosses", "ConcordModels", "ConcordCheckpoint",
                "ConcordEmoji", "ConcordRuntime", "ConcordData", "ConcordMedia", "ConcordText",
            ]),
        library(
            "ConcordRecording",
            [
                "ConcordCore", "ConcordTensor", "ConcordNN", "ConcordModels", "ConcordTrain", "ConcordRuntime",
                "ConcordExport", "ConcordCheckpoint", "ConcordData", "ConcordMedia", "ConcordText",
            ]),
        library(
            "Concord",
            [
                "ConcordTrain", "ConcordRecording", "ConcordModels", "ConcordLosses", "ConcordNN", "ConcordTensor",
                "ConcordExport", "ConcordRuntime", "ConcordEmoji", "ConcordData", "ConcordMedia", "ConcordText",
                "ConcordCheckpoint", "ConcordCore",
            ]),
        // Not named `concord`: on case-insensitive file systems it would collide with the library `Concord`.
        .executableTarget(
            name: "ConcordCommand",
            // `Concord` re-exports the others; named here, a change of their types' layout rebuilds this one, too.
            dependencies: [
                "Concord", "ConcordServer", "ConcordTrain", "ConcordRecording", "ConcordModels", "ConcordLosses",
                "ConcordNN",
                "ConcordTensor", "ConcordExport", "ConcordRuntime", "ConcordEmoji", "ConcordData", "ConcordMedia",
                "ConcordText", "ConcordCheckpoint", "ConcordCore",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftSettings),
        // Compares all execution plans of the losses; `make bench` prints its table, and the tests of the losses run it.
        .executableTarget(
            name: "PlanMatrix",
            dependencies: [
                "ConcordLosses", "ConcordNN", "ConcordTensor", "ConcordCore",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftSettings),
        tests("ConcordTensor"),
        tests("ConcordNN", ["ConcordTensor", "ConcordCheckpoint"]),
        tests("ConcordLosses", ["ConcordCore", "ConcordTensor", "ConcordCheckpoint", "PlanMatrix"]),
        tests(
            "ConcordRecording",
            [
                "ConcordCheckpoint", "ConcordData", "ConcordExport", "ConcordMedia", "ConcordModels", "ConcordNN",
                "ConcordRuntime", "ConcordTensor", "ConcordText", "ConcordTrain",
            ]),
        tests("ConcordModels", ["ConcordText", "ConcordLosses", "ConcordNN", "ConcordTensor", "ConcordCheckpoint"]),
        tests(
            "ConcordTrain",
            [
                "ConcordData", "ConcordMedia", "ConcordModels", "ConcordNN", "ConcordLosses", "ConcordCheckpoint",
                "ConcordRuntime", "ConcordTensor", "ConcordText",
            ]),
        // Compiles the Swift snippets of the README and of the articles.
        tests("Concord", ["ConcordRuntime"]),
    ]
}
