/// Lines of text whose columns stand under each other.
struct Table {
    private var rows: [[String]] = []
    /// Columns of numbers end under each other.
    private let numbers: Set<Int>

    init(numbers: Set<Int> = []) { self.numbers = numbers }

    mutating func add(_ row: String...) { rows.append(row) }

    /// Ends with a line break.
    var text: String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            var line = " "
            for (column, cell) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                line += (column == 0 ? " " : "  ") + (numbers.contains(column) ? space + cell : cell + space)
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
