pub const GREETING: &str = "feed one";
