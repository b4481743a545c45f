-- What a vm counts for at its host: what it takes of the resource class (service/core/change/takes.h), or its own amount.
CREATE FUNCTION counted(takes text, class text, amount double precision) RETURNS double precision IMMUTABLE LANGUAGE sql AS $$
  SELECT CASE WHEN strpos(takes, '"resource/') = 0 THEN amount
    ELSE coalesce((SELECT (take ->> 1)::double precision FROM jsonb_array_elements(takes::jsonb) AS all_takes (take)
                   WHERE take ->> 0 = 'resource/' || class LIMIT 1), amount) END
$$;
