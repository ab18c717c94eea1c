import Foundation

/// The size of files.
enum FileSize {
    /// The bytes of a file, or of what a link leads to; none where there is no such file.
    static func bytes(_ path: String) -> Int {
        let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        return (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    }
}
