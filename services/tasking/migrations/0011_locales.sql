-- Locales that stand get the case of RFC 5646 (section 2.1.1), which new ones come in: en-us is en-US.
CREATE FUNCTION pg_temp.cased(tag text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(CASE WHEN place > 1 AND length(part) = 2 THEN upper(part)
                           WHEN place > 1 AND part ~ '^[A-Za-z]{4}$' THEN initcap(part)
                           ELSE lower(part) END, '-' ORDER BY place)
    FROM string_to_table(tag, '-') WITH ORDINALITY AS split (part, place)
$$;

UPDATE project SET locale = pg_temp.cased(locale) WHERE locale <> pg_temp.cased(locale);

WITH respelled AS (
    SELECT expert_id, ARRAY (
        SELECT pg_temp.cased(tag) FROM unnest(locales) WITH ORDINALITY AS known (tag, place)
        GROUP BY pg_temp.cased(tag) ORDER BY min(place)) AS locales
    FROM expert)
UPDATE expert e SET locales = r.locales FROM respelled r WHERE e.expert_id = r.expert_id AND e.locales <> r.locales;
