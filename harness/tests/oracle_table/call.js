// Node's tls: what it says of each backend.
const fs = require('fs'), tls = require('tls');
const plan = JSON.parse(fs.readFileSync(process.argv[2]));
const [ca, client] = [fs.readFileSync(plan.ca), fs.readFileSync(plan.client)];

function about({ subject, subjectaltname, ext_key_usage, ca }) {
  const names = (subjectaltname || 'no name').split(', ');
  return [subject && subject.CN ? 'common name' : 'no common name', names.length > 9 ? `${names.length} names` : names[0],
    ext_key_usage ? `usages ${ext_key_usage.length}` : 'any usage', ...(ca ? ['an authority'] : [])];
}

function ask({ port, name, patience }) {
  return new Promise((resolve) => {
    const said = [];
    let answer = '';
    const done = (word) => {
      if (word) said.push(word);
      clearTimeout(timer);
      socket.destroy();
      resolve(said.join(', '));
    };
    const timer = setTimeout(() => done('timed out'), patience * 1000);
    const servername = /^[0-9.]+$/.test(name) ? undefined : name;
    const options = { host: '127.0.0.1', port, servername, ca, cert: client, key: client,
      ALPNProtocols: ['h2', 'http/1.1'],
      checkServerIdentity: (_, certificate) => tls.checkServerIdentity(name, certificate) };
    const socket = tls.connect(options, () => {
      const certificate = socket.getPeerCertificate(true);
      const chain = new Set();
      for (let one = certificate; one && one.fingerprint256 && !chain.has(one.fingerprint256); one = one.issuerCertificate)
        chain.add(one.fingerprint256);
      const shared = socket.getEphemeralKeyInfo() || {};
      said.push(socket.getProtocol(), socket.getCipher().standardName, shared.name || shared.type || 'no ephemeral key',
        `${certificate.asn1Curve || 'key'} ${certificate.bits} bits`, `alpn ${socket.alpnProtocol}`, `chain of ${chain.size}`, ...about(certificate));
      if (socket.alpnProtocol !== 'h2')
        socket.write(`GET /n-0123456789abcdef HTTP/1.1\r\nhost: ${name}\r\nconnection: close\r\n\r\n`);
      else done();
    });
    socket.on('data', (data) => { answer += data; });
    socket.on('end', () => {
      const status = answer.slice(9, 12) || 'no answer';
      done(status + (answer && !answer.endsWith('}\n') ? ' and no whole body' : ''));
    });
    socket.on('error', (error) => done({ EPIPE: 'ECONNRESET' }[error.code] || error.code || error.message));
  });
}

(async () => {
  const waiting = [...plan.targets];
  const said = new Map();
  const worker = async () => {
    for (let target; (target = waiting.shift()); ) said.set(target.backend, await ask(target));
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  for (const { backend } of plan.targets) console.log(`${backend}\t${said.get(backend)}`);
})();
