const SESSION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/auth_service.pb"));
const MIGRATION: &str = include_str!("../../migrations/001_sessions.sql");

fn main() {
    let schema = bytes::Bytes::from_static(SESSION);
    assert!(!schema.is_empty() && MIGRATION.contains("sessions"));
    nova_http::serve("/api/v1/health", "auth one");
}
