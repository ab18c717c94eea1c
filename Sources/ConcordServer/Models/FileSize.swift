import Foundation

/// The size of files.
enum FileSize {
    /// The bytes of a file; none where there is no such file.
    static func bytes(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}
