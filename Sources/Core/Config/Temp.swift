import NIOCore
import Yams
import Foundation
public enum ConfigReader {
    public static func listenAddress(_ t: String) throws -> Config.ListenAddress {
        let p = t.split(separator: ":"); return .init(host: String(p[0]), port: Int(p[1])!)
    }
    public static func load(path: String, environment: [String: String]) throws -> Config {
        let d = try Yams.load(yaml: String(contentsOfFile: path, encoding: .utf8)) as! [String: Any]
        var c = Config()
        if let l = d["listen"] as? String { c.listen = [try listenAddress(l)] }
        c.threads = d["threads"] as? Int
        c.maxConcurrentConnections = d["max_concurrent_connections"] as? Int ?? 2
        for (k, kind) in [("endpoints", EndpointKind.ollama), ("llama_server_endpoints", .llamaServer)] {
            for e in d[k] as? [Any] ?? [] {
                let m = e as? [String: Any] ?? ["url": e]
                let url = m["url"] as! String
                let u = URL(string: url)!
                c.endpoints.append(
                    .init(
                        name: m["name"] as? String ?? "\(u.host!):\(u.port!)", address: EndpointAddress(host: u.host!, port: u.port!, url: url),
                        kind: kind, limit: m["max_concurrent_connections"] as? Int ?? c.maxConcurrentConnections))
            }
        }
        c.control.socketPath = d["control_socket"] as? String
        return c
    }
}
public struct ConfigDiff { public var changes: [String] = []; public var needsRestart: [String] = []; init(from: Config, to: Config) {} }
