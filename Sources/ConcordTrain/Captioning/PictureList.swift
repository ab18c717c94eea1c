import ConcordCore
import ConcordData
import Foundation

/// Pictures to caption, by name, in an order that stays the same.
public struct PictureList: Sendable {
    /// The folder that the names are relative to.
    public let folder: String
    public let names: [String]

    /// Endings of the files that are taken for pictures where no caption file lists them.
    public static let endings = ["png", "jpg", "jpeg", "webp", "gif", "tif", "tiff", "bmp", "avif", "heic", "jp2"]

    public init(folder: String, names: [String]) {
        self.folder = folder
        self.names = names
    }

    /// The pictures of a data set, of one split where `split` is not nil.
    ///
    /// - Throws: `.invalidDataset` when there are none.
    public init(_ dataset: CaptionDataset, split: String?) throws(ConcordError) {
        folder = dataset.folder
        names = dataset.items.filter { split == nil || $0.split == split }.map(\.image)
        guard !names.isEmpty else {
            let splits = Set(dataset.items.compactMap(\.split)).sorted().joined(separator: ", ")
            throw ConcordError(
                .invalidDataset,
                "\(dataset.captionFile) has no picture of the split \(split ?? ""); it has the splits \(splits)")
        }
    }

    /// The pictures in a folder and the folders in it, in the order of their names.
    ///
    /// - Throws: `.fileSystem` for a folder that cannot be read, `.invalidDataset` for one without pictures.
    public init(folder: String) throws(ConcordError) {
        self.folder = folder
        guard let paths = FileManager.default.enumerator(atPath: folder) else {
            throw ConcordError(.fileSystem, "cannot list \(folder); name a folder of pictures or a data set")
        }
        names = paths.compactMap { $0 as? String }.filter { path in
            Self.endings.contains((path as NSString).pathExtension.lowercased())
        }.sorted()
        guard !names.isEmpty else {
            throw ConcordError(
                .invalidDataset,
                "\(folder) has neither \(CaptionDataset.captionFiles.joined(separator: ", ")) nor a picture in it")
        }
    }

    /// Where a picture lies.
    public func path(of name: String) -> String { name.hasPrefix("/") ? name : folder + "/" + name }
}
