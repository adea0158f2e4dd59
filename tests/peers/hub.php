<?php
// php hub.php METHOD URL [BODY] [SECRET] [TIMEOUT_S]: one call with PHP's cURL, the way the hub makes it and reads it.
// Prints {"verdict", "status", "message", "document", "content_type", "request_id", "body"}.
declare(strict_types=1);

[, $method, $url] = $argv;
$body = $argv[3] ?? '';
$secret = $argv[4] ?? '';
$timeout = (int) ($argv[5] ?? 30);

$answered = [];
$call = curl_init($url);
curl_setopt_array($call, [
    CURLOPT_CUSTOMREQUEST => $method,
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FOLLOWLOCATION => false,
    CURLOPT_TIMEOUT => $timeout,
    CURLOPT_HTTPHEADER => [
        'X-Gateway-Secret: ' . $secret,
        'Content-Type: application/json', // on GET and DELETE too, as the hub does
        'Accept: application/json',
        'X-Request-Id: php-' . bin2hex(random_bytes(4)),
    ],
    CURLOPT_HEADERFUNCTION => function ($call, string $line) use (&$answered): int {
        $parts = explode(':', $line, 2);
        if (count($parts) === 2) {
            $answered[strtolower(trim($parts[0]))] = trim($parts[1]);
        }
        return strlen($line);
    },
]);
if ($body !== '') {
    curl_setopt($call, CURLOPT_POSTFIELDS, $body);
}
$text = curl_exec($call);
$trouble = curl_errno($call);
$status = (int) curl_getinfo($call, CURLINFO_RESPONSE_CODE);
$type = (string) curl_getinfo($call, CURLINFO_CONTENT_TYPE);
curl_close($call);

$document = null;
$message = null;
if ($trouble === CURLE_OPERATION_TIMEDOUT) {
    [$verdict, $status] = ['timeout', 0];
} elseif ($trouble !== 0) {
    [$verdict, $status, $message] = ['unreachable', 0, curl_strerror($trouble)];
} elseif (empty($text)) { // PHP finds "0" empty as well
    $verdict = 'empty';
} elseif ($status === 401) {
    $verdict = 'unauthorised';
} elseif (stripos($type, 'text/html') !== false || str_starts_with(ltrim($text), '<')) {
    $verdict = 'html';
} else {
    $document = json_decode($text, true);
    if (json_last_error() !== JSON_ERROR_NONE || !is_array($document)) {
        [$verdict, $document] = ['invalid', null];
    } else {
        $verdict = $status >= 200 && $status < 300 ? 'ok' : 'error';
        $message = $document['error'] ?? $document['message'] ?? $document['error_message']
            ?? $document['details'] ?? $document['data']['error'] ?? null;
    }
}
echo json_encode([
    'verdict' => $verdict,
    'status' => $status,
    'message' => $message,
    'document' => $document,
    'content_type' => $type,
    'request_id' => $answered['x-request-id'] ?? null,
    'body' => $text === false ? null : base64_encode($text),
], JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
