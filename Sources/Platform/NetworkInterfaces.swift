/// Names of the network interfaces of this machine, sorted.
public func networkInterfaces() -> [String] {
    ((try? Folder("/sys/class/net").names()) ?? []).filter { systemText("/sys/class/net/\($0)/operstate") != nil }
}
