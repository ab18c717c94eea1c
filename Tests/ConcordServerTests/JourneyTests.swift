import ConcordCore
import Foundation
import Testing

@Suite struct JourneyTests {
    /// `Server.swift` lists the files that a request passes; a file that is renamed must be renamed there, too.
    @Test func thePageNamesFilesThatExist() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources").path
        let page = try String(contentsOfFile: root + "/ConcordServer/Server.swift", encoding: .utf8)
        let names = page.split(separator: "\n").compactMap { line -> String? in
            guard line.hasPrefix("//   ") else { return nil }
            return line.dropFirst(5).split(separator: " ").first.map(String.init).flatMap {
                $0.hasSuffix(".swift") ? $0 : nil
            }
        }
        #expect(names.count > 15)
        for name in names {
            let places = ["ConcordServer/", "ConcordRuntime/Models/", "ConcordRuntime/Onnx/"]
            #expect(places.contains { Files.exists(root + "/" + $0 + name) }, "\(name)")
        }
    }
}
