/// Which part of a data set is read.
public enum SourcePart: String, CaseIterable, Decodable, Sendable {
    case train, test
}

/// Settings of the built-in set, whose images are drawn from their number alone.
public struct ProceduralSettings: RecipeSection {
    public let count: Int
    public let size: Int
    public let first: Int
    public let seed: UInt64

    public static let meanings = [
        "count": "Images.",
        "size": "Height and width, pixels.",
        "first": "Number of the first image: sets that do not overlap share none.",
        "seed": "Another seed, other images.",
    ]

    public func check(_ here: Here) {
        here.requirePositive(["count": count])
        here.require((1...4096).contains(size), at: "size", "1 to 4096 pixels expected, found \(size)")
        here.require(first >= 0, at: "first", "0 or more expected, found \(first)")
    }
}

/// Settings of the sets that are one folder or file with a training and a test part: idx, cifar10, cifar100, digits.
public struct PartedSettings: RecipeSection {
    public let path: String
    public let part: SourcePart

    public static let meanings = [
        "path": "Folder or file of the set, as its page in Datasets says.",
        "part": "The training or the test part.",
    ]
}

/// Settings of a folder of images, read through its index.
public struct FolderSettings: RecipeSection {
    public let path: String
    public let index: String

    public static let meanings = [
        "path": "Folder with one folder of images for each class.",
        "index": "The index that 'lacuna data index' wrote.",
    ]
}

/// Settings of a token set.
public struct TokenSettings: RecipeSection {
    public let path: String

    public static let meanings = ["path": "The file that 'lacuna tokenize' wrote."]
}
