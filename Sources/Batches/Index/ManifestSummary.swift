import Kernels
import Platform

extension Manifest {
    /// Images in each class, in the order of the class numbers; empty without classes.
    public var classCounts: [Int] {
        var counts = [Int](repeating: 0, count: classes?.count ?? 0)
        if !counts.isEmpty { for index in 0..<count { counts[Int(sections.labels[index])] += 1 } }
        return counts
    }

    public var emptyClasses: [String] {
        zip(classes ?? [], classCounts).filter { $0.1 == 0 }.map(\.0)
    }

    public var totalBytes: Int { (0..<count).reduce(0) { $0 + sizeBytes($1) } }

    /// What `lacuna data index` prints, one fact a line.
    public var summary: [String] {
        var lines = ["\(count) images, \(totalBytes >> 20) MiB, fingerprint \(String(fingerprint.hash, radix: 16))"]
        if let classes {
            let counts = classCounts
            let (least, most) = (counts.min() ?? 0, counts.max() ?? 0)
            lines.append("\(classes.count) classes of \(least) to \(most) images")
            if classes.count == 1 { lines.append("only one class: labels say nothing") }
            if !emptyClasses.isEmpty { lines.append("without an image: \(emptyClasses.joined(separator: ", "))") }
        } else {
            lines.append("no class folders: a set without labels")
        }
        let bad = bad
        lines.append("\(bad.count) bad files, \(ignored) files of other names")
        for fault in FileFault.allCases {
            let number = bad.count { $0.fault == fault }
            if number > 0 { lines.append("  \(number) \(fault.reason)") }
        }
        return lines
    }
}
