/// A picture with all its captions.
public struct CaptionItem: Sendable, Hashable {
    /// The picture's path, relative to the dataset's folder, without `.` parts and doubled slashes; as it is written for
    /// one outside the folder.
    public let image: String
    /// At least one caption, in the order of the file; none in a folder of pictures without a caption file.
    public let captions: [Caption]
    /// The split that the file puts the picture in, when it says so.
    public let split: String?
    /// The line of the caption file, from 1, where the picture's first row begins.
    public let line: Int

    public init(image: String, captions: [Caption], split: String? = nil, line: Int = 0) {
        self.image = image
        self.captions = captions
        self.split = split
        self.line = line
    }
}
