// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "loss-example",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "concord", path: "../..")],
    targets: [
        .executableTarget(
            name: "loss-example", dependencies: [.product(name: "Concord", package: "concord")], path: "Sources")
    ]
)
