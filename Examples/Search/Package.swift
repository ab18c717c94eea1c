// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "search-example",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "concord", path: "../..")],
    targets: [
        .executableTarget(
            name: "search-example", dependencies: [.product(name: "Concord", package: "concord")], path: "Sources")
    ]
)
