//! RSA keys of five primes, because finding two long ones takes too long.

use std::thread;

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::Rsa;
use yasna::{DERWriterSeq, construct_der};

/// The usual public exponent, F4.
const EXPONENT: u32 = 65_537;

/// How long each prime is: as many as OpenSSL takes for keys of this length (`RSA_MAX_PRIME_NUM`), and each of a length that its
/// arithmetic is fast with, which is a multiple of 512 bits.
const LENGTHS: [i32; 5] = [1536, 1536, 1536, 1536, 2048];

/// An RSA-8192 key of five primes (RFC 8017 3.2). Neither the public key nor a signature shows it. OpenSSL
/// reads the private key; others, ring and Go among them, may not.
pub(crate) fn of_five_primes() -> Result<Rsa<Private>, ErrorStack> {
    let mut context = BigNumContext::new()?;
    let mut primes = found()?;
    loop {
        for nth in 0..primes.len() {
            let key = MultiPrime::of(&primes, &mut context)?;
            if key.modulus.num_bits() == LENGTHS.iter().sum::<i32>() {
                return Rsa::private_key_from_der(&key.to_der());
            }
            // The product of numbers that just have their lengths may lack a bit.
            primes[nth] = prime(primes[nth].num_bits())?;
        }
    }
}

/// Finds each prime in a thread of its own.
fn found() -> Result<Vec<BigNum>, ErrorStack> {
    thread::scope(|scope| {
        let searches = LENGTHS.map(|bits| scope.spawn(move || prime(bits)));
        let found = searches.into_iter().map(|search| search.join().expect("finding a prime does not panic"));
        found.collect()
    })
}

/// A prime that the exponent goes with.
fn prime(bits: i32) -> Result<BigNum, ErrorStack> {
    let mut prime = BigNum::new()?;
    loop {
        prime.generate_prime(bits, false, None, None)?;
        if prime.mod_word(EXPONENT)? != 1 {
            return Ok(prime);
        }
    }
}

/// The fields of `RSAPrivateKey` (RFC 8017 A.1.2).
struct MultiPrime<'a> {
    primes: &'a [BigNum],
    modulus: BigNum,
    private_exponent: BigNum,
    /// The private exponent modulo each prime less one.
    exponents: Vec<BigNum>,
    /// The inverse of the second prime modulo the first, and of the product of all before modulo each of the rest.
    coefficients: Vec<BigNum>,
}

impl<'a> MultiPrime<'a> {
    fn of(primes: &'a [BigNum], context: &mut BigNumContext) -> Result<Self, ErrorStack> {
        let (mut modulus, mut totient) = (BigNum::from_u32(1)?, BigNum::from_u32(1)?);
        let (mut less_one, mut products) = (Vec::new(), Vec::new());
        for prime in primes {
            products.push(BigNumRef::to_owned(&modulus)?);
            let mut one_less = BigNumRef::to_owned(prime)?;
            one_less.sub_word(1)?;
            modulus = product(&modulus, prime, context)?;
            totient = product(&totient, &one_less, context)?;
            less_one.push(one_less);
        }
        let private_exponent = inverse(&*BigNum::from_u32(EXPONENT)?, &totient, context)?;
        let exponents = less_one.iter().map(|less_one| {
            let mut exponent = BigNum::new()?;
            exponent.nnmod(&private_exponent, less_one, context)?;
            Ok(exponent)
        });
        let exponents = exponents.collect::<Result<_, ErrorStack>>()?;
        let mut coefficients = vec![inverse(&primes[1], &primes[0], context)?];
        for (prime, product) in primes.iter().zip(&products).skip(2) {
            coefficients.push(inverse(product, prime, context)?);
        }
        Ok(Self { primes, modulus, private_exponent, exponents, coefficients })
    }

    fn to_der(&self) -> Vec<u8> {
        let Self { primes, exponents, coefficients, .. } = self;
        construct_der(|writer| {
            writer.write_sequence(|key| {
                let multi = 1;
                key.next().write_u8(multi);
                write(key, &self.modulus);
                key.next().write_u32(EXPONENT);
                let first_two = [
                    &self.private_exponent,
                    &primes[0],
                    &primes[1],
                    &exponents[0],
                    &exponents[1],
                    &coefficients[0],
                ];
                first_two.into_iter().for_each(|number| write(key, number));
                key.next().write_sequence(|others| {
                    for (nth, prime) in primes.iter().enumerate().skip(2) {
                        others.next().write_sequence(|info| {
                            let other = [prime, &exponents[nth], &coefficients[nth - 1]];
                            other.into_iter().for_each(|number| write(info, number));
                        });
                    }
                });
            });
        })
    }
}

fn write(writer: &mut DERWriterSeq<'_>, number: &BigNumRef) {
    writer.next().write_bigint_bytes(&number.to_vec(), true);
}

fn product(a: &BigNumRef, b: &BigNumRef, context: &mut BigNumContext) -> Result<BigNum, ErrorStack> {
    let mut product = BigNum::new()?;
    product.checked_mul(a, b, context)?;
    Ok(product)
}

fn inverse(a: &BigNumRef, modulus: &BigNumRef, context: &mut BigNumContext) -> Result<BigNum, ErrorStack> {
    let mut inverse = BigNum::new()?;
    inverse.mod_inverse(a, modulus, context)?;
    Ok(inverse)
}
