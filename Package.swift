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

// The library's modules, from the lowest up: those that do without libtorch, and those that stand on it.
let lowerModules = [
    "ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint", "ConcordData", "ConcordEmoji", "ConcordRuntime",
    "ConcordONNX",
]
let upperModules = [
    "ConcordTensor", "ConcordNN", "ConcordLosses", "ConcordModels", "ConcordEvaluate", "ConcordTrain", "ConcordExport",
]

func library(_ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: swiftSettings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Sources/Programs/" + name, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.init(stringLiteral: name), "ConcordTestSupport"] + dependencies,
        swiftSettings: swiftSettings)
}

// A library of the system: its headers and, from pkg-config, where they are.
func system(_ name: String, _ pkgConfig: String? = nil, apt: String? = nil, brew: String? = nil) -> Target {
    .systemLibrary(
        name: name, path: "Sources/C/" + name.dropFirst(), pkgConfig: pkgConfig,
        providers: [apt.map { .apt([$0]) }, brew.map { .brew([$0]) }].compactMap(\.self))
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")

let package = Package(
    name: "concord",
    platforms: [.macOS(.v15)],
    // A product lists all modules that its users may import: its own, and those that its public declarations speak of.
    products: [
        .library(
            name: "ConcordData",
            targets: [
                "ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint", "ConcordData", "ConcordEmoji",
            ]),
        .library(
            name: "ConcordRuntime",
            targets: [
                "ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint", "ConcordRuntime", "ConcordONNX",
            ]),
        .library(
            name: "ConcordServer",
            targets: [
                "ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint", "ConcordRuntime", "ConcordServer",
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
        // What all else stands on.
        system("CYAML", "yaml-0.1", apt: "libyaml-dev", brew: "libyaml"),
        library("ConcordCore", ["CYAML"]),

        // Texts, images and sounds.
        system("CSentencePieceLibrary", "sentencepiece", apt: "libsentencepiece-dev", brew: "sentencepiece"),
        .target(name: "CSentencePiece", dependencies: ["CSentencePieceLibrary"], path: "Sources/C/SentencePiece"),
        system("CUTF8Proc", "libutf8proc", apt: "libutf8proc-dev", brew: "utf8proc"),
        library("ConcordText", ["ConcordCore", "CSentencePiece", "CUTF8Proc"]),
        system("CVips", "vips", apt: "libvips-dev", brew: "vips"),
        system("CTIFF", "libtiff-4", apt: "libtiff-dev", brew: "libtiff"),
        system("CAVIF", "libavif", apt: "libavif-dev", brew: "libavif"),
        system("CHarfBuzz", "harfbuzz", apt: "libharfbuzz-dev", brew: "harfbuzz"),
        system("CSndFile", "sndfile", apt: "libsndfile1-dev", brew: "libsndfile"),
        system("CSoxr", "soxr", apt: "libsoxr-dev", brew: "libsoxr"),
        // KissFFT's double precision is a C++ header, which scripts/setup.sh installs.
        .target(name: "CKissFFT", path: "Sources/C/KissFFT"),
        library(
            "ConcordMedia",
            ["ConcordCore", "CVips", "CTIFF", "CAVIF", "CHarfBuzz", "CSndFile", "CSoxr", "CKissFFT"]),

        // Files of models and of data.
        system("CCurl", "libcurl", apt: "libcurl4-openssl-dev", brew: "curl"),
        system("COpenSSL", "libcrypto", apt: "libssl-dev", brew: "openssl@3"),
        system("CXXHash", "libxxhash", apt: "libxxhash-dev", brew: "xxhash"),
        library(
            "ConcordCheckpoint", ["ConcordCore", "ConcordText", "ConcordMedia", "CCurl", "COpenSSL", "CXXHash"]),
        library("ConcordData", ["ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint"]),
        // Apart from ConcordData, because it reads XML with Foundation.
        library("ConcordEmoji", ["ConcordCore", "ConcordMedia", "ConcordData"]),

        // Exported models, and the service that runs them.
        .target(
            name: "COnnxRuntime", path: "Sources/C/OnnxRuntime",
            cSettings: [
                // Where `make setup` puts the library, one of the places where it is looked for at run time.
                .define("CONCORD_ONNXRUNTIME_FOLDER", to: "\"\(Context.packageDirectory)/.deps/onnxruntime/lib\"")
            ]),
        library(
            "ConcordRuntime",
            ["ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint", "COnnxRuntime"]),
        .target(
            name: "ConcordONNX", dependencies: ["ConcordCore", "ConcordRuntime", protobuf],
            exclude: ["OnnxFile/onnx.proto"], swiftSettings: swiftSettings),
        system("CAllocator"),
        system("CZlib", "zlib", apt: "zlib1g-dev", brew: "zlib"),
        library(
            "ConcordServer",
            [
                "ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint", "ConcordRuntime",
                "CCurl", "CZlib",
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
            ]),
        // What `concord-server` and `concord serve` share.
        library(
            "ConcordServeArguments",
            [
                "ConcordCore", "ConcordMedia", "ConcordServer", "CAllocator", argumentParser,
                .product(name: "Logging", package: "swift-log"),
            ], path: "Sources/Programs/ConcordServeArguments"),
        program("ConcordServerCommand", ["ConcordServeArguments", argumentParser]),

        library(
            "ConcordTestSupport",
            ["ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint", "ConcordRuntime", "ConcordONNX"],
            path: "Tests/Support"),
        tests("ConcordCore"),
        tests("ConcordText", ["ConcordCheckpoint"]),
        tests("ConcordMedia", ["ConcordCheckpoint"]),
        tests("ConcordCheckpoint", ["ConcordMedia", "ConcordText"]),
        tests("ConcordData", ["ConcordMedia", "ConcordText"]),
        tests("ConcordEmoji", ["ConcordCore", "ConcordData", "ConcordMedia"]),
        tests(
            "ConcordRuntime", ["COnnxRuntime", "ConcordCheckpoint", "ConcordONNX", "ConcordMedia", "ConcordText"]),
        tests("ConcordONNX", ["ConcordRuntime", protobuf]),
        tests(
            "ConcordServer",
            [
                "ConcordCore", "ConcordText", "ConcordMedia", "ConcordRuntime", "ConcordServeArguments", argumentParser,
                .product(name: "Logging", package: "swift-log"),
            ]),
    ],
    cxxLanguageStandard: .cxx20
)

if let libtorch {
    let isCUDA = FileManager.default.fileExists(atPath: libtorch + "/lib/libtorch_cuda.so")
    let modules = (lowerModules + upperModules).map { Target.Dependency(stringLiteral: $0) }
    package.products += [
        .library(name: "Concord", targets: ["Concord"] + lowerModules + upperModules),
        .executable(name: "concord", targets: ["ConcordCommand"]),
    ]
    package.targets += [
        // Tensors, layers, losses and models.
        .target(
            name: "CTorch", path: "Sources/C/Torch",
            cxxSettings: [
                // libtorch is built with it, and some of its inline types differ without.
                .define("NDEBUG"),
                // Processes talk through Gloo, which libtorch contains; only its headers come from elsewhere.
                .define("USE_C10D_GLOO"),
                .unsafeFlags([
                    "-I\(libtorch)/include", "-I\(libtorch)/include/torch/csrc/api/include",
                    "-Wno-deprecated-declarations",
                    // Says what to do where libtorch is missing.
                    "-include", Context.packageDirectory + "/Sources/C/Torch/libtorch.h",
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
        library("ConcordNN", ["ConcordCore", "ConcordCheckpoint", "ConcordTensor"]),
        library("ConcordLosses", ["ConcordCore", "ConcordTensor"]),
        library("ConcordModels", ["ConcordCore", "ConcordText", "ConcordCheckpoint", "ConcordTensor", "ConcordNN"]),

        // What is done with models: use and judge them, train them, export them.
        library(
            "ConcordEvaluate",
            [
                "ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint", "ConcordData", "ConcordEmoji",
                "ConcordRuntime", "ConcordTensor", "ConcordNN", "ConcordLosses", "ConcordModels",
            ]),
        library(
            "ConcordTrain",
            [
                "ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint", "ConcordData", "ConcordTensor",
                "ConcordNN", "ConcordLosses", "ConcordModels", "ConcordEvaluate",
            ]),
        library(
            "ConcordExport",
            [
                "ConcordCore", "ConcordText", "ConcordMedia", "ConcordCheckpoint", "ConcordData", "ConcordRuntime",
                "ConcordONNX", "ConcordTensor", "ConcordNN", "ConcordModels", "ConcordEvaluate",
            ]),

        // All modules under one name, and the program. It is not named `concord`: on case-insensitive file systems it
        // would collide with the library `Concord`, which re-exports the others; named again for the program, a change
        // of their types' layout rebuilds it, too.
        library("Concord", modules),
        program("ConcordCommand", ["Concord", "ConcordServeArguments"] + modules + [argumentParser]),
        // Compares all execution plans of the losses; `make bench` prints its table, and the tests of the losses run it.
        program(
            "PlanMatrix",
            [
                "ConcordCore", "ConcordCheckpoint", "ConcordData", "ConcordTensor", "ConcordNN", "ConcordLosses",
                "ConcordModels", "ConcordTrain", argumentParser,
            ]),

        // Models and worlds of processes for tests.
        library(
            "ConcordModelTestSupport",
            ["ConcordCore", "ConcordCheckpoint", "ConcordTensor", "ConcordNN", "ConcordModels"],
            path: "Tests/ModelSupport"),
        tests("ConcordTensor"),
        tests("ConcordNN", ["ConcordTensor", "ConcordCheckpoint"]),
        tests(
            "ConcordLosses",
            [
                "ConcordCore", "ConcordTensor", "ConcordNN", "ConcordCheckpoint", "ConcordModelTestSupport",
                "PlanMatrix",
            ]),
        tests(
            "ConcordModels",
            [
                "ConcordCheckpoint", "ConcordLosses", "ConcordMedia", "ConcordModelTestSupport", "ConcordNN",
                "ConcordTensor", "ConcordText",
            ]),
        tests(
            "ConcordEvaluate",
            [
                "ConcordCheckpoint", "ConcordData", "ConcordMedia", "ConcordModels", "ConcordModelTestSupport",
                "ConcordNN",
                "ConcordRuntime", "ConcordTensor", "ConcordText",
            ]),
        tests(
            "ConcordTrain",
            [
                "ConcordData", "ConcordMedia", "ConcordModels", "ConcordModelTestSupport", "ConcordNN", "ConcordLosses",
                "ConcordCheckpoint", "ConcordRuntime", "ConcordTensor", "ConcordText", "ConcordEvaluate",
            ]),
        tests(
            "ConcordExport",
            [
                "ConcordCheckpoint", "ConcordData", "ConcordONNX", "ConcordMedia", "ConcordModels",
                "ConcordModelTestSupport", "ConcordNN", "ConcordRuntime", "ConcordTensor", "ConcordText",
                "ConcordEvaluate",
            ]),
        // Compiles the Swift snippets of the README and of the articles.
        tests("Concord", ["ConcordRuntime"]),
    ]
}
