// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#endif

/// Who is at the other end of the control socket, as the kernel says (SO_PEERCRED): it cannot be forged.
struct Peer: Sendable, Equatable {
    var pid: Int32
    var uid: UInt32
    var gid: UInt32

    /// The kernel's `struct ucred`, which the C library shows only to GNU sources.
    private struct Credentials {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
    }

    /// - Throws: `ChannelError` or `IOError` where the socket does not tell.
    static func of(_ channel: any Channel) async throws -> Peer {
        guard let provider = channel as? any SocketOptionProvider else { throw ChannelError.operationUnsupported }
        let credentials: Credentials = try await provider.unsafeGetSocketOption(level: .socket, name: .init(rawValue: SO_PEERCRED)).get()
        return Peer(pid: credentials.pid, uid: credentials.uid, gid: credentials.gid)
    }
}

/// What a peer may do.
enum Access: String, Sendable, CaseIterable {
    case read, change
}

/// Who may do what on the control socket: the daemon's own user and root everything; members of the groups that the
/// configuration names, reading or changing; nobody else anything.
struct AccessRules: Sendable, Equatable {
    var ownUID: UInt32
    var changeGroup: UInt32?
    var readGroup: UInt32?

    /// - Throws: `UnknownGroup` for a group that the system does not know.
    init(_ control: Config.Control, ownUID: UInt32 = geteuid()) throws {
        self.ownUID = ownUID
        changeGroup = try control.group.map(Self.groupID)
        readGroup = try control.readGroup.map(Self.groupID)
    }

    struct UnknownGroup: Error, CustomStringConvertible {
        var name: String
        var description: String { "the system knows no group '\(name)' (control_group, control_read_group)" }
    }

    /// - Parameter groups: the numbers of all groups of the peer's user.
    func allowed(_ peer: Peer, groups: (Peer) -> [UInt32]) -> Set<Access> {
        if peer.uid == 0 || peer.uid == ownUID { return [.read, .change] }
        guard changeGroup != nil || readGroup != nil else { return [] }
        let member = groups(peer)
        if let changeGroup, member.contains(changeGroup) { return [.read, .change] }
        if let readGroup, member.contains(readGroup) { return [.read] }
        return []
    }

    /// As `allowed(_:groups:)`. The system's databases of users may be on another machine: they are asked on a thread that may wait.
    func allowed(_ peer: Peer) async throws -> Set<Access> {
        if peer.uid == 0 || peer.uid == ownUID || (changeGroup == nil && readGroup == nil) { return allowed(peer, groups: { _ in [] }) }
        return try await NIOThreadPool.singleton.runIfActive { allowed(peer, groups: Self.groups) }
    }

    /// Of the peer's user, as the system's databases have them, and the group it runs as.
    static func groups(of peer: Peer) -> [UInt32] {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        // Peers are served at the same time: the call that keeps its answer in one static place would mix them up.
        var texts = [CChar](repeating: 0, count: 16_384)
        guard getpwuid_r(peer.uid, &entry, &texts, texts.count, &found) == 0, found != nil, let name = entry.pw_name else { return [peer.gid] }
        var count: Int32 = 256
        var list = [gid_t](repeating: 0, count: Int(count))
        guard getgrouplist(name, entry.pw_gid, &list, &count) >= 0 else { return [peer.gid] }
        return Array(list.prefix(Int(count))) + [peer.gid]
    }

    static func groupID(_ name: String) throws -> UInt32 {
        if let number = UInt32(name) { return number }
        guard let entry = getgrnam(name) else { throw UnknownGroup(name: name) }
        return entry.pointee.gr_gid
    }
}
