-- Whether a rater is a model of a vendor, or an answer what one predicts: services.scoring.domain.models tells why.
CREATE FUNCTION is_model(id uuid) RETURNS boolean IMMUTABLE PARALLEL SAFE
RETURN uuid_extract_version(id) IS NOT DISTINCT FROM 5;
