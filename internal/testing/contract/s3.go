package contract

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// requestS3 is a signed request for a path of the bucket of the environment, as
// the services make them.
func requestS3(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	endpoint, bucket := env("S3_ENDPOINT", "AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3"), env("S3_BUCKET", "S3_BUCKET_NAME", "AWS_S3_BUCKET")
	if endpoint == "" || bucket == "" {
		return nil, errors.New("no endpoint or bucket of S3 in the environment")
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(endpoint, "/")+"/"+bucket+"/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	request.Header.Set("X-Amz-Content-Sha256", digest)
	keys := aws.Credentials{AccessKeyID: env("AWS_ACCESS_KEY_ID"), SecretAccessKey: env("AWS_SECRET_ACCESS_KEY")}
	region := env0("AWS_REGION", "us-east-1")
	return request, v4.NewSigner().SignHTTP(ctx, keys, request, digest, "s3", region, time.Now())
}

// dialS3 lists the bucket of the environment.
func dialS3(ctx context.Context) (string, error) {
	request, err := requestS3(ctx, http.MethodGet, "?list-type=2&max-keys=1", nil)
	if err != nil {
		return "", err
	}
	return send(request)
}
