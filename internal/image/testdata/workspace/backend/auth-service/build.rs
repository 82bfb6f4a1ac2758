use heck::ToSnakeCase;

fn main() {
    println!("cargo:rerun-if-changed=../proto/auth.proto");
    let out = std::env::var("OUT_DIR").expect("OUT_DIR");
    let status = std::process::Command::new("protoc")
        .args(["--proto_path=../proto", &format!("--descriptor_set_out={out}/{}.pb", "AuthService".to_snake_case()), "auth.proto"])
        .status()
        .expect("protoc");
    assert!(status.success());
}
